"""Shows results to people: tables on the terminal, JUnit for build servers."""

from dcsim.report.junit import junit_xml
from dcsim.report.terminal import expectation_table, result_tables

__all__ = ["expectation_table", "junit_xml", "result_tables"]
