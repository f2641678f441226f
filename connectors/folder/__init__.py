"""文件夹: JSON files dropped into a folder come in, JSON files go out: any system that can export and import files."""

from connectors.folder.connector import PLUGIN as CONNECTOR

__all__ = ["CONNECTOR"]
