"""Taking results away: a report, tables, images, figures, and datasets for other tools."""

from barlow_core.export.chosen import Chosen, strongest
from barlow_core.export.datasets import fiftyone_dataset, fiftyone_samples, images_frame, spotlight_types
from barlow_core.export.figure import leaf_figure
from barlow_core.export.folder import export_run
from barlow_core.export.images import ImagesOut, export_images
from barlow_core.export.report import report, write_report
from barlow_core.export.tables import export_tables, frames

__all__ = [
    "Chosen",
    "ImagesOut",
    "export_images",
    "export_run",
    "export_tables",
    "fiftyone_dataset",
    "fiftyone_samples",
    "frames",
    "images_frame",
    "leaf_figure",
    "report",
    "spotlight_types",
    "strongest",
    "write_report",
]
