from support.kuairand import CONFIG
from support.shop import shop_config

from home_tf.config import HistoryFeature, history_features, load_config


def test_the_features_of_history_are_told_by_their_names():
    key = ("visitor", "brand")
    assert history_features(shop_config()) == {
        "bought": HistoryFeature("list", "bought", ("visitor",)),
        "visitor_impressions": HistoryFeature("count", "visitor", ("visitor",)),
        "visitor_purchase_rate": HistoryFeature(
            "rate", "visitor", ("visitor",), "purchase"
        ),
        "pair_impressions": HistoryFeature("count", "pair", key),
        "pair_cart_rate": HistoryFeature("rate", "pair", key, "cart"),
    }


def test_the_longest_name_of_a_history_counts():
    history = {"user": {"key": "a"}, "user_tab": {"key": ["a", "b"]}}
    config = shop_config(history={**history, "pair": {"key": "c"}})
    config = type(config)(
        features={
            "x": config.features["price"],
            "user_tab_a_b_rate": config.features["price"],
        },
        tasks=config.tasks,
        data=config.data,
    )
    assert history_features(config) == {
        "user_tab_a_b_rate": HistoryFeature("rate", "user_tab", ("a", "b"), "a_b")
    }


def test_kuairand_has_33_counts_and_rates_and_2_lists():
    found = history_features(load_config(CONFIG))
    assert sum(one.kind == "count" for one in found.values()) == 3
    assert sum(one.kind == "rate" for one in found.values()) == 30
    assert [name for name, one in found.items() if one.kind == "list"] == [
        "user_liked_videos",
        "user_watched_videos",
    ]
