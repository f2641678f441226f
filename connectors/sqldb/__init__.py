"""旧系统数据库: the tables of an old 进销存 program, read straight from its database and never written.

For programs without an interface of their own (管家婆, 速达, 用友 T3, home-made ones). Files are another conn_type,
`legacyfile`: what one needs to be reached, and how one tells what changed, differ altogether.
"""

from __future__ import annotations

from connectors.sqldb.connector import EXAMPLE, SqlDb
from connectors.sqldb.database import RATE
from duijie.connect.protocol import Plugin, Setting, Spec

SPEC = Spec(
    conn_type="sqldb",
    title="旧系统数据库",
    summary="只读旧进销存软件的数据库: SQL Server, MySQL, Oracle, PostgreSQL, SQLite",
    settings=(
        Setting("system", "数据库种类", help="sqlserver、mysql、oracle、postgresql、sqlite, 或 SQLAlchemy 的名称"),
        Setting("host", "地址", target="host", required=False, help="端口填在连接的 port; sqlite 不填"),
        Setting("login", "用户名", target="login", required=False, help="请用只读用户 (SQL Server: db_datareader)"),
        Setting("password", "密码", target="password", secret=True, required=False),
        Setting(
            "database", "数据库", required=False, help="名称; sqlite 为文件路径; oracle 可改用 options 的 service_name"
        ),
        Setting("options", "驱动选项", required=False, help='{"charset": "utf8", "tds_version": "7.0"}'),
        Setting("zone", "时区", required=False, default="Asia/Shanghai", help="modified 列的时间所在时区"),
        Setting("streams", "数据流", required=False, help=EXAMPLE),
    ),
    rate=RATE,
    api_version="SQLAlchemy 2",
    source="https://docs.sqlalchemy.org/en/20/dialects/",
)

CONNECTOR = Plugin(SPEC, SqlDb)

__all__ = ["CONNECTOR", "SPEC"]
