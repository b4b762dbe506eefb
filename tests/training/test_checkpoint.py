"""Checkpoints: every weight by its name, compared before anything is assigned."""

import numpy as np
import pytest
import tensorflow as tf

from home_tf.backend import keras
from home_tf.backend.variables import named_optimizer_variables, named_variables
from home_tf.errors import HomeError
from home_tf.features import EmbeddedFeature, EmbeddingTable, FeatureEmbedding
from home_tf.layers import Expert, HoME, TaskTowers
from home_tf.models import RankingModel, RankingNetwork
from home_tf.training.checkpoint import Checkpoint


def embedding(**tables):
    """A layer with tables of these sizes, in this order, 2 wide."""
    sizes = {name: EmbeddingTable(size, 2) for name, size in tables.items()}
    layer = FeatureEmbedding(sizes, {name: EmbeddedFeature(name) for name in tables})
    layer.build(None)
    return layer


def tables_of(layer):
    return {name: np.array(layer.rows_of(name)) for name in layer.tables}


@pytest.fixture
def saved(tmp_path):
    """The tables `user` and `item`, of one shape, saved in a folder."""
    layer = embedding(user=5, item=5)
    Checkpoint(network=named_variables(layer)).save(tmp_path / "best", 1)
    return tmp_path / "best", tables_of(layer)


def restore(layer, folder):
    return Checkpoint(network=named_variables(layer)).restore(folder)


def test_tables_that_swapped_places_load_by_their_names(saved):
    folder, expected = saved
    layer = embedding(item=5, user=5)
    assert restore(layer, folder)
    found = tables_of(layer)
    assert not np.array_equal(expected["user"], expected["item"])
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize(
    ("tables", "problems"),
    [
        # In the places of one another, if the order were what counts.
        (
            {"video": 5, "user": 5},
            "missing: network/video/embeddings; not in the model: "
            "network/item/embeddings. ",
        ),
        ({"user": 5}, "; not in the model: network/item/embeddings. "),
        (
            {"user": 5, "item": 5, "author": 3},
            "; missing: network/author/embeddings. ",
        ),
        (
            {"user": 5, "item": 7},
            "; of another shape or dtype: network/item/embeddings (float32 [5, 2], in "
            "the model float32 [7, 2]). ",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_assigned(saved, tables, problems):
    folder, _ = saved
    layer = embedding(**tables)
    before = tables_of(layer)
    with pytest.raises(HomeError) as error:
        restore(layer, folder)
    message = str(error.value)
    assert message.startswith(f"{folder}: does not fit the data of the run")
    assert problems in message
    assert "\n" not in message
    for name, values in tables_of(layer).items():
        np.testing.assert_array_equal(before[name], values)


def test_another_dtype_is_told(tmp_path):
    Checkpoint(network={"scale": tf.Variable(1.0)}).save(tmp_path, 1)
    other = Checkpoint(network={"scale": tf.Variable(1.0, dtype=tf.float64)})
    with pytest.raises(HomeError, match=r"float32 \[\], in the model float64 \[\]"):
        other.restore(tmp_path)


def test_long_lists_of_names_are_shortened(saved):
    folder, _ = saved
    layer = embedding(**{f"t{number}": 5 for number in range(9)})
    with pytest.raises(HomeError, match=r"t2/embeddings and 6 more; not in the model"):
        restore(layer, folder)


def test_further_parts_of_a_checkpoint_are_left_alone(tmp_path):
    layer = embedding(user=5)
    weights = named_variables(layer)
    Checkpoint(network=weights, progress={"epoch": tf.Variable(3)}).save(tmp_path, 1)
    assert restore(embedding(user=5), tmp_path)


def test_a_folder_without_a_checkpoint_restores_nothing(tmp_path):
    assert not restore(embedding(user=5), tmp_path)
    assert not restore(embedding(user=5), tmp_path / "none")


def test_only_the_last_checkpoint_is_kept(tmp_path):
    layer = embedding(user=5)
    for number in (1, 2):
        Checkpoint(network=named_variables(layer)).save(tmp_path, number)
    assert [path.name for path in tmp_path.glob("*.index")] == ["ckpt-2.index"]


def test_a_checkpoint_by_position_is_told_in_one_line(tmp_path):
    layer = embedding(user=5)
    old = tf.train.Checkpoint(network=list(named_variables(layer).values()))
    tf.train.CheckpointManager(old, str(tmp_path), 1).save()
    with pytest.raises(HomeError) as error:
        restore(layer, tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: was written by an earlier version of home_tf, which named "
        "weights differently. Train again, into another folder"
    )


@pytest.mark.parametrize(
    "damage",
    [
        ("ckpt-1.index", lambda content: content[: len(content) // 2]),
        ("ckpt-1.index", lambda content: b"garbage"),
        ("ckpt-1.data-00000-of-00001", lambda content: content[:-8]),
        ("ckpt-1.data-00000-of-00001", lambda content: content[:-1] + b"\x99"),
        ("checkpoint", lambda content: b"garbage"),
    ],
    ids=["half an index", "no index", "half the data", "other data", "no list"],
)
def test_a_broken_checkpoint_is_told_in_one_line(saved, damage):
    folder, _ = saved
    name, change = damage
    file = folder / name
    file.write_bytes(change(file.read_bytes()))
    layer = embedding(user=5, item=5)
    before = tables_of(layer)
    with pytest.raises(HomeError) as error:
        restore(layer, folder)
    message = str(error.value)
    assert message.startswith(f"{folder}: the checkpoint cannot be read (")
    assert message.endswith("). Train again, into another folder")
    assert "\n" not in message
    for table, values in tables_of(layer).items():
        np.testing.assert_array_equal(before[table], values)


def test_the_file_has_names_that_a_person_reads(saved):
    folder, _ = saved
    names = [name for name, _ in tf.train.list_variables(str(folder))]
    assert names == ["network/item/embeddings", "network/user/embeddings"]


def test_any_folder_may_hold_a_checkpoint(tmp_path):
    folder = tmp_path / "[x]*?" / "a b"
    layer = embedding(user=5)
    Checkpoint(network=named_variables(layer)).save(folder, 1)
    other = embedding(user=5)
    assert restore(other, folder)
    np.testing.assert_array_equal(tables_of(other)["user"], tables_of(layer)["user"])


def test_a_checkpoint_that_was_being_replaced_is_put_back(saved):
    folder, _ = saved
    folder.rename(folder.with_name(f".{folder.name}.replaced"))
    assert restore(embedding(user=5, item=5), folder)


def test_a_full_disk_leaves_the_checkpoint_before(saved, limited_files):
    folder, _ = saved
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    large = Checkpoint(network=named_variables(embedding(user=50_000)))
    with limited_files(2**16), pytest.raises(HomeError) as error:
        large.save(folder, 2)
    assert str(error.value).startswith(f"{folder}: the checkpoint cannot be written (")
    assert "\n" not in str(error.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_name_of_any_table_makes_a_path(tmp_path):
    tables = {"user id": 5, "a/b": 5, "a.b": 5, "été": 5, "-": 5}
    layer = embedding(**tables)
    assert len(named_variables(layer)) == 5
    Checkpoint(network=named_variables(layer)).save(tmp_path, 1)
    layer = embedding(**dict(reversed(tables.items())))
    assert restore(layer, tmp_path)


def test_weights_of_one_path_are_refused():
    network = keras.Sequential([keras.layers.Dense(1, name="one")])
    network.build((None, 2))
    outer = keras.Sequential([network, keras.layers.Dense(1, name="two")])
    outer.build((None, 2))
    assert len(named_variables(outer)) == 4

    class Twice(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [keras.layers.Dense(1, name="same") for _ in range(2)]

        def build(self, shape):
            for part in self.parts:
                part.build(shape)

    twice = Twice()
    twice.build((None, 2))
    with pytest.raises(
        ValueError, match=r"two weights with the path '(same/)?\w+'\. Give the"
    ):
        named_variables(twice)


def make_model(order):
    tables = {name: EmbeddingTable(5, 2) for name in order}
    features = {name: EmbeddedFeature(name) for name in order}
    expert = Expert.home(units=(4,))
    groups = {"a": ["click", "like"]}
    home = HoME(groups, expert=expert, feature_gate="none", name="home")
    network = RankingNetwork(
        FeatureEmbedding(tables, features, name="features"),
        home,
        TaskTowers(home.tasks, name="towers"),
    )
    network.build(None)
    model = RankingModel(network, home.tasks, loss_weighting="uncertainty")
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    return model


def test_the_moments_of_a_weight_have_its_name(tmp_path):
    def variables(model):
        return named_optimizer_variables(model)

    first, second = make_model(["user", "item"]), make_model(["item", "user"])
    names = variables(first)
    assert {
        "iteration",
        "momentum/network/features/user/embeddings",
        "velocity/network/features/item/embeddings",
        "momentum/loss_weighting/log_variances",
    } <= set(names)
    random = np.random.default_rng(0)
    for variable in names.values():
        if variable.dtype.is_floating:
            variable.assign(random.random(variable.shape))
    Checkpoint(optimizer=names).save(tmp_path, 1)
    assert Checkpoint(optimizer=variables(second)).restore(tmp_path)
    for name, variable in variables(second).items():
        np.testing.assert_array_equal(names[name], variable, err_msg=name)
