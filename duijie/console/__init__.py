"""The web pages for engineers, ops and finance: one app, behind a login and a role."""
