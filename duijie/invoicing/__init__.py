"""The life of a request for an invoice: sent once, halted, tried again, approved, polled, and told to people in time.

Everything here is rows of the journal; whether something is sent is decided by `duijie.deliver`, which asks a gate
made of these. Sources: 国家税务总局公告 2024 年第 11 号; the vendors' own documents, named where they matter.
"""
