"""Speed of requesting invoices: building and checking them, reading their files, a backlog against a slow platform."""
