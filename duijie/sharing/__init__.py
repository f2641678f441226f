"""Services that every worker of one journal shares, wherever it runs: budgets, lines, tokens.

Nothing here is truth about documents. A bucket that is lost lets a few calls too many leave, a token that is lost is
fetched again; so neither belongs to the transactions in which documents move.
"""

from __future__ import annotations

import os

from duijie.connect.budget import Bucket, Limits
from duijie.connect.protocol import Observer
from duijie.connect.services import Services, file_tokens, ignore
from duijie.connect.tokens import Tokens
from duijie.journal import Journal
from duijie.journal.lines import JournalBoard
from duijie.sharing.buckets import SharedBucket
from duijie.sharing.seals import SealedTokens, keys_of

__all__ = ["shared", "tokens_of"]


def shared(journal: Journal, observe: Observer = ignore) -> Services:
    """Services for a worker of this journal.

    Budgets are counted where DUIJIE_LIMITS says (`redis://…`, or `memory://` for this process alone), else beside the
    journal.
    """
    return Services(tokens_of(journal), observe, _bucket(journal), board=JournalBoard(journal))


def tokens_of(journal: Journal) -> Tokens:
    """Sealed in a PostgreSQL journal where there is a key to seal with, else in files of this machine."""
    keys = keys_of(os.environ)
    return SealedTokens(journal, keys) if journal.is_postgres and keys else file_tokens()


def _bucket(journal: Journal) -> Bucket:
    uri = os.environ.get("DUIJIE_LIMITS")
    return Limits(uri) if uri else SharedBucket.beside(journal)
