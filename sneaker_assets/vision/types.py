"""Array types shared by the packages of ``vision``."""

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
"""Features of one or more images, float32 [..., D]."""
