"""Do descriptions of a feature agree, and what do people call it (appendix G of the paper)?"""

from study.agreement.cosine import description_agreement, item_agreement
from study.agreement.word_vectors import load_vectors

__all__ = ["description_agreement", "item_agreement", "load_vectors"]
