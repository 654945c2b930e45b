"""Reports on a segmented lesion: measurements, a JSON document, a contact sheet."""

from StrokeSAMLib.report.document import report, schema, write_report
from StrokeSAMLib.report.measurements import measure, summary, volume_text
from StrokeSAMLib.report.overview import overview, write_overview

__all__ = ["measure", "overview", "report", "schema", "summary", "volume_text", "write_overview", "write_report"]
