"""Every text of the worker's page, language by language: English, German, and whatever a study brings."""

from study.texts.catalogue import ENGLISH, SHIPPED, Texts, merged, read_texts, shipped_file, texts_of

__all__ = ["ENGLISH", "SHIPPED", "Texts", "merged", "read_texts", "shipped_file", "texts_of"]
