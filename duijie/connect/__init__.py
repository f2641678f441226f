"""What a connector is made of: connections, the error tree, HTTP and SOAP, XML, rate limits, the registry.

Connectors import this package and nothing else of Duijie.
"""
