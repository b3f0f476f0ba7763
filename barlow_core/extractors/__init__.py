"""Networks that describe images: features, feature maps and logits; where their weights come from."""

from barlow_core.extractors.extractor import Activations, Classifier, Extractor, Preprocessing
from barlow_core.extractors.loading import default_device, load, load_classifier, names

__all__ = ["Activations", "Classifier", "Extractor", "Preprocessing", "default_device", "load", "load_classifier", "names"]
