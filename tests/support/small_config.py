"""A small configuration for the generated data.

Its HoME has few parts, because building the graph is what takes time; the tests of the
layers have them all.
"""

SMALL_CONFIG = """
data:
  log: log_standard*.csv*
  tables:
    users: {files: user_features_*.csv*, key: user_id}
    videos: {files: video_features_basic_*.csv*, key: video_id}
  columns:
    tag: {sql: "CAST(string_split(CAST(tag AS VARCHAR), ',') AS INTEGER[])", length: 4}
  time: time_ms
  day: date
  history:
    user: {key: user_id}
    video: {key: video_id}
  history_lists:
    user_watched_videos:
      {key: user_id, item: video_id, when: long_view = 1, length: 5}
    user_liked_videos:
      {key: user_id, item: video_id, when: is_like = 1, length: 5}
features:
  user_id: {type: categorical, width: 4, min_count: 2}
  video_id: {type: categorical, width: 4, oov_buckets: 2}
  author_id: {type: categorical, width: 4, encoding: hashed, buckets: 50}
  user_active_degree: {type: categorical, width: 2}
  tag: {type: categorical, width: 2, pooling: sum}
  duration_ms: {type: numeric, encoding: bucketized, buckets: 5, width: 2}
  user_watched_videos:
    {type: categorical, table: video_id, pooling: attention, attend_with: video_id}
  user_liked_videos: {type: categorical, table: video_id}
  video_impressions: {type: numeric, transform: log1p}
  user_is_click_rate: {type: numeric}
tasks:
  long_view: {group: watch}
  is_click: {group: inter}
  is_like: {group: inter}
model:
  architecture: {expert: {units: [8]}, feature_gate: none, self_gate: none}
  tower_units: []
training:
  batch_size: 256
  epochs: 2
  patience: 5
  learning_rate: 0.02
  shuffle_rows: 2048
  monitor_experts: 0
evaluation: {group_by: user_id, bootstrap_replicates: 20}
serving:
  request_features: [user_*]
  candidates: {column: video_id, latest_by: date}
  score: {weights: {is_click: 1.0, is_like: 0.5}}
"""
