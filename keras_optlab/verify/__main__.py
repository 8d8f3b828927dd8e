"""`python -m keras_optlab.verify`."""

import sys

from keras_optlab.verify.command import main

sys.exit(main())
