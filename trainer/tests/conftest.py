"""One thread a process: networks this small gain nothing by a second, and on a busy machine threads that wait for one
another by spinning take a hundred times as long. Set before torch is loaded."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
