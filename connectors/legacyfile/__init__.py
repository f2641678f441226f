"""旧系统文件: DBF, Access, Excel and CSV files that an old 进销存 program leaves behind or exports.

The way in for programs without an interface (管家婆 and others) and for spreadsheets. A database that still runs is
another conn_type, `sqldb`.
"""

from __future__ import annotations

from connectors.legacyfile.connector import EXAMPLE, LegacyFiles
from duijie.connect.protocol import Plugin, Setting, Spec

SPEC = Spec(
    conn_type="legacyfile",
    title="旧系统文件",
    summary="读取旧进销存软件的 DBF、Access、Excel、CSV 文件",
    settings=(
        Setting("path", "文件夹", help="其中的文件由各数据流的 files (文件名样式) 选取"),
        Setting("streams", "数据流", required=False, help=f"{EXAMPLE}; 先不填并测试连接, 可看到有哪些文件、表与列"),
    ),
    rate="1000/second",
    api_version="DBF, Jet 3/4, ACE, BIFF8, ECMA-376, RFC 4180",
    source="https://www.rfc-editor.org/rfc/rfc4180",
)

CONNECTOR = Plugin(SPEC, LegacyFiles)

__all__ = ["CONNECTOR", "SPEC"]
