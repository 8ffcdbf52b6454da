"""Which languages a server translates from and into, under the names that clients use."""

from typing import Any, Dict, List, Optional, Sequence

from ..decoding.hypotheses import BaseTranslator
from ..errors import SwcmError
from ..languages import code_of, language


class Catalogue:
    """The languages of one model.

    Args:
        translator: the model.
        sources: codes to offer as sources. By default those of its dictionary's languages that it does not write; all
            of them, where it writes all.

    Raises:
        SwcmError: a code that no table knows, or a model that writes nothing.
    """

    def __init__(self, translator: BaseTranslator, sources: Sequence[str] = ()) -> None:
        self.targets: List[str] = [language(code).code for code in translator.targets]
        if not self.targets:
            raise SwcmError("the model does not say which languages it writes; pack it again with swcm-pack")
        known = [code_of(tag) for tag in translator.tags]
        read = [code for code in known if code not in self.targets]
        self.sources: List[str] = [language(code).code for code in sources] or read or known
        self._codes = {code.lower(): code for code in self.sources + self.targets}

    def find(self, name: str) -> Optional[str]:
        """The code that a client means by ``name`` (``ZH``, ``zh-Hans``, ``mn-Mong``), or None."""
        name = name.strip().lower().replace("-", "_")
        # A script or country that is not told apart here is left out.
        return self._codes.get(name) or self._codes.get(name.partition("_")[0])

    def source(self, name: str) -> Optional[str]:
        """As ``find``, among the sources."""
        code = self.find(name)
        return code if code in self.sources else None

    def target(self, name: str) -> Optional[str]:
        """As ``find``, among the targets."""
        code = self.find(name)
        return code if code in self.targets else None

    def listing(self) -> List[Dict[str, Any]]:
        """All languages as LibreTranslate lists them, sources first."""
        return [
            {
                "code": code,
                "name": language(code).name,
                "targets": [target for target in self.targets if target != code] if code in self.sources else [],
            }
            for code in dict.fromkeys(self.sources + self.targets)
        ]
