"""Alerts are journal rows; this room sends them to 钉钉, 企业微信, 飞书 or e-mail through apprise."""
