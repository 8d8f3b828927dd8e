"""`python -m keras_optlab`, the same as the command `optlab`."""

import sys

from keras_optlab.cli import main

sys.exit(main())
