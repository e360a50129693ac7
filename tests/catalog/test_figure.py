from matplotlib.figure import Figure

from card24_pipeline.catalog.figure import FigureDataset


def test_saves_the_image_and_hands_over_its_path(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "deep/figure.png"), save_args={"metadata": {"Software": None}})
    assert dataset.load() == tmp_path / "deep/figure.png"
    dataset.save(Figure())
    assert dataset.load().read_bytes().startswith(b"\x89PNG")
    assert dataset.preview()
