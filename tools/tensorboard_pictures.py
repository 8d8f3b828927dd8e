"""Take the pictures of TensorBoard: `python tools/tensorboard_pictures.py`.

It trains `examples/companions.py`, as the README does, and opens TensorBoard in a
Chromium without a window, which must be installed.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
SCALE = 1.5  # pixels of the picture for one of the page
WIDTH, HEIGHT = 1060, 1500  # of the window
PAGES = {  # left, top, right and bottom of the part that is shown
    "custom_scalars": ("tensorboard.png", (280, 72, 1060, 1218)),
    "histograms": ("histograms.png", (280, 125, 1060, 1195)),
}


def train(folder: Path) -> None:
    """Run the example of the README."""
    command = [sys.executable, str(ROOT / "examples/companions.py")]
    subprocess.run(command, cwd=folder, check=True)


def serve(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start TensorBoard; return its process and address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)]
    server = subprocess.Popen([*command, "--port", str(port)])
    address = f"http://localhost:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(address).close()
        except OSError:
            time.sleep(0.5)
        else:
            return server, address
    server.terminate()
    raise TimeoutError(f"TensorBoard does not answer at {address}")


def take(address: str, page: str, path: Path) -> None:
    """Save a page as it looks after it has loaded its data."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise FileNotFoundError("expected `chromium` or `google-chrome`")
    options = [
        "--headless",
        "--no-sandbox",
        "--hide-scrollbars",
        f"--window-size={WIDTH},{HEIGHT}",
        f"--force-device-scale-factor={SCALE}",
        "--virtual-time-budget=25000",  # milliseconds
    ]
    where = f"--screenshot={path}"
    subprocess.run([browser, *options, where, f"{address}/#{page}"], check=True)


def main() -> None:
    """Train, and take the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder)
        server, address = serve(folder / "runs")
        try:
            for page, (picture, part) in PAGES.items():
                whole = folder / picture
                take(address, page, whole)
                box = tuple(round(SCALE * edge) for edge in part)
                small = Image.open(whole).convert("RGB").crop(box).quantize(64)
                small.save(ROOT / "docs" / picture, optimize=True)
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
