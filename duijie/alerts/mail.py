"""E-mail by SMTP, with TLS whose certificate is checked: without it nothing is sent."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from duijie.alerts.config import Mail
from duijie.alerts.message import Message
from duijie.connect.errors import AnswerLost, CredentialError, NotSent, VendorBusy, VendorRejected

SECONDS = 15
FOR_GOOD = (ssl.SSLCertVerificationError, smtplib.SMTPNotSupportedError)


def post(channel: Mail, to: Sequence[str], message: Message, now: datetime) -> None:
    """Send to these addresses, else to the channel's own.

    Raises CredentialError, VendorRejected, VendorBusy, NotSent, or AnswerLost: it may be there.
    """
    letter = _letter(channel, to or channel.to, message, now)
    try:
        server = _open(channel)
    except (OSError, smtplib.SMTPException) as error:
        raise _refused(channel, error) if _is_final(error) else _not_sent(channel, error) from error
    try:
        server.send_message(letter)
    except smtplib.SMTPServerDisconnected as error:
        raise AnswerLost(f"{channel.host} 断开, 邮件可能已发出", en="the server hung up", where=channel.host) from error
    except smtplib.SMTPException as error:
        raise _refused(channel, error) if _is_final(error) else _busy(channel, error) from error
    except OSError as error:
        raise AnswerLost(f"{channel.host} 无应答, 邮件可能已发出", en="no answer", where=channel.host) from error
    finally:
        server.close()


def _letter(channel: Mail, to: Sequence[str], message: Message, now: datetime) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"] = " ".join(message.title.split())
    letter["From"] = channel.sender
    letter["To"] = ", ".join(to)
    letter["Date"] = format_datetime(now)
    letter["Message-ID"] = make_msgid(domain=channel.sender.rpartition("@")[2] or "duijie")
    letter.set_content(message.text)
    return letter


def _open(channel: Mail) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=channel.ca or None)
    server: smtplib.SMTP
    if channel.tls == "implicit":
        server = smtplib.SMTP_SSL(channel.host, channel.port, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(channel.host, channel.port, timeout=SECONDS)
    try:
        if channel.tls == "starttls":
            server.starttls(context=context)
        if channel.user:
            server.login(channel.user, channel.password)
    except (OSError, smtplib.SMTPException):
        server.close()
        raise
    return server


def _is_final(error: Exception) -> bool:
    if isinstance(error, FOR_GOOD):
        return True
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500


def _refused(channel: Mail, error: Exception) -> CredentialError | VendorRejected:
    at = channel.host
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return CredentialError("邮件服务器不接受用户名或密码: 请核对", en="the mail server refuses the login", where=at)
    if isinstance(error, FOR_GOOD):
        zh = f"邮件服务器 {at} 的 TLS 不可信或没有: 请核对 host, port, tls, ca"
        return CredentialError(zh, en=f"no TLS that can be trusted: {error}", where=at)
    zh = f"邮件服务器拒收 ({_code(error)}): 请核对发件人与收件人"
    return VendorRejected(zh, en=f"the mail server refuses: {_code(error)}", where=at)


def _code(error: Exception) -> str:
    return str(getattr(error, "smtp_code", "") or type(error).__name__)


def _busy(channel: Mail, error: Exception) -> VendorBusy:
    return VendorBusy(f"邮件服务器 {channel.host} 暂不收信 ({_code(error)})", en=f"{_code(error)}", where=channel.host)


def _not_sent(channel: Mail, error: Exception) -> NotSent:
    return NotSent(f"连不上邮件服务器 {channel.host}:{channel.port}", en=f"{type(error).__name__}", where=channel.host)
