"""A connector to begin with: a whole one over a vendor that does not exist, which passes the contract as it is written.

What it is written of stands in `templates/`; a person changes it piece by piece into their vendor's, with the contract
green after every step.
"""

from duijie.scaffold.plan import File, as_package, in_tree, write

__all__ = ["File", "as_package", "in_tree", "write"]
