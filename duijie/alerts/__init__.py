"""Alerts are journal rows; this room tells people: by 钉钉, 飞书, 企业微信, e-mail or whatever apprise speaks to."""
