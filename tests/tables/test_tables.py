"""The room of tables."""

import subprocess
import sys


def test_importing_tables_loads_neither_torch_nor_matplotlib():
    code = "import sys, cosee.tables; print({'torch', 'transformers', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
