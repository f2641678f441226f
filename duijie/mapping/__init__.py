"""The mapping language: one YAML file, one pure function from record to record (docs/specs/mapping.md)."""

from duijie.mapping.explain import Provenance, explain
from duijie.mapping.faults import FieldError
from duijie.mapping.findings import Finding, MappingErrors, Spot
from duijie.mapping.lint import lint, mapping_files
from duijie.mapping.mapping import Mapping, load_mapping
from duijie.mapping.runtime import Lookup
from duijie.mapping.trial import StaticLookup, TestResult, run_tests

__all__ = [
    "FieldError",
    "Finding",
    "Lookup",
    "Mapping",
    "MappingErrors",
    "Provenance",
    "Spot",
    "StaticLookup",
    "TestResult",
    "explain",
    "lint",
    "load_mapping",
    "mapping_files",
    "run_tests",
]
