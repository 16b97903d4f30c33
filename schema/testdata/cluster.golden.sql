CREATE TABLE IF NOT EXISTS schema_migrations ON CLUSTER 'main'
(
	version UInt32, name String, checksum String, applied_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}') ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1,
    replicated_deduplication_window = 0;

-- Every hit, as it was received and judged. One row is one record of a node's
-- spool: (node, seq) names it. Times are UTC. Empty text means unknown or none.
CREATE TABLE IF NOT EXISTS clicks_local ON CLUSTER 'main'
(
    click_id          String CODEC(ZSTD(1)),
    time              DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    advertiser_id     LowCardinality(String),
    campaign_id       LowCardinality(String),
    creator_id        LowCardinality(String),
    task_id           LowCardinality(String),
    link_id           LowCardinality(String),
    post_id           LowCardinality(String),
    platform          LowCardinality(String),
    currency          LowCardinality(String) COMMENT 'the campaign''s',
    observed_platform LowCardinality(String) COMMENT 'from referrer and in-app user agent',
    verdict           LowCardinality(String) COMMENT 'valid test probe prefetch preview bot datacenter rate',
    reasons           Array(LowCardinality(String)),
    rules_version     UInt32,
    is_unique         UInt8,
    first_verdict     LowCardinality(String) COMMENT 'as the tracker judged it, of a hit that was judged again',
    first_unique      UInt8 COMMENT 'is_unique as the shipper decided it, of a hit that was judged again',
    method            LowCardinality(String),
    destination       String CODEC(ZSTD(1)),
    rule              LowCardinality(String),
    country           LowCardinality(String),
    region            LowCardinality(String),
    city              LowCardinality(String),
    asn               UInt32,
    asn_org           LowCardinality(String),
    network           String COMMENT 'truncated address, 203.0.113.0/24' CODEC(ZSTD(1)),
    visitor           UInt64 COMMENT 'keyed hash, 0 = none',
    user_agent        String CODEC(ZSTD(3)),
    device            LowCardinality(String),
    os                LowCardinality(String),
    os_version        LowCardinality(String),
    browser           LowCardinality(String),
    browser_version   LowCardinality(String),
    in_app            UInt8,
    referrer_host     LowCardinality(String),
    language          LowCardinality(String),
    sub1              String CODEC(ZSTD(1)),
    sub2              String CODEC(ZSTD(1)),
    sub3              String CODEC(ZSTD(1)),
    sub4              String CODEC(ZSTD(1)),
    sub5              String CODEC(ZSTD(1)),
    unpayable         LowCardinality(String) COMMENT 'why it cannot earn',
    gpc               UInt8,
    erased            UInt8 COMMENT '1: what was about a person is gone',
    node              LowCardinality(String),
    seq               UInt64 CODEC(Delta, ZSTD(1)),
    shipped_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX clicks_time time TYPE minmax GRANULARITY 1,
    INDEX clicks_seq seq TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(time)
ORDER BY (advertiser_id, campaign_id, link_id, time)
SETTINGS
    index_granularity = 8192,
    min_bytes_for_wide_part = 134217728,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS clicks ON CLUSTER 'main' AS clicks_local
ENGINE = Distributed('main', currentDatabase(), clicks_local, cityHash64(advertiser_id));

-- Clicks summed by quarter of an hour, so that days are exact in every time
-- zone. Rows of one key are added up on reading: always sum(). Hits that were judged
-- again add a row of differences (reclassify_sums.sql): its unsigned numbers are
-- modulo 2^64, as sums of them are, which are exact therefore.
CREATE TABLE IF NOT EXISTS clicks_15m_local ON CLUSTER 'main'
(
    bucket             DateTime('UTC') COMMENT 'start of the 15 minutes' CODEC(Delta, ZSTD(1)),
    advertiser_id      LowCardinality(String),
    campaign_id        LowCardinality(String),
    creator_id         LowCardinality(String),
    task_id            LowCardinality(String),
    link_id            LowCardinality(String),
    post_id            LowCardinality(String),
    platform           LowCardinality(String),
    currency           LowCardinality(String) COMMENT 'the campaign''s',
    hits               UInt64,
    clicks             UInt64 COMMENT 'valid',
    unique_clicks      UInt64 COMMENT 'valid and unique',
    platform_mismatch  UInt64 COMMENT 'valid, and seen to come from another platform',
    invalid_test       UInt64,
    invalid_probe      UInt64,
    invalid_prefetch   UInt64,
    invalid_preview    UInt64,
    invalid_bot        UInt64,
    invalid_datacenter UInt64,
    invalid_rate       UInt64,
    corrected          SimpleAggregateFunction(max, UInt64) COMMENT 'the last step of judging hits again that is in here'
)
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', (hits, clicks, unique_clicks, platform_mismatch, invalid_test, invalid_probe, invalid_prefetch,
    invalid_preview, invalid_bot, invalid_datacenter, invalid_rate, corrected))
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (advertiser_id, campaign_id, bucket)
ORDER BY (advertiser_id, campaign_id, bucket, creator_id, task_id, link_id, post_id, platform, currency)
SETTINGS
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS clicks_15m ON CLUSTER 'main' AS clicks_15m_local
ENGINE = Distributed('main', currentDatabase(), clicks_15m_local, cityHash64(advertiser_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS clicks_15m_mv ON CLUSTER 'main' TO clicks_15m_local AS
SELECT
    toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket,
    advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, platform, currency,
    count() AS hits,
    countIf(verdict = 'valid') AS clicks,
    countIf(verdict = 'valid' AND is_unique = 1) AS unique_clicks,
    countIf(verdict = 'valid' AND observed_platform != '' AND observed_platform != platform) AS platform_mismatch,
    countIf(verdict = 'test') AS invalid_test,
    countIf(verdict = 'probe') AS invalid_probe,
    countIf(verdict = 'prefetch') AS invalid_prefetch,
    countIf(verdict = 'preview') AS invalid_preview,
    countIf(verdict = 'bot') AS invalid_bot,
    countIf(verdict = 'datacenter') AS invalid_datacenter,
    countIf(verdict = 'rate') AS invalid_rate
FROM clicks_local
GROUP BY bucket, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, platform, currency;

-- The same without creator, task, link and post, for what is asked most: a
-- fraction of the rows where campaigns have many links.
CREATE TABLE IF NOT EXISTS campaign_clicks_15m_local ON CLUSTER 'main'
(
    bucket             DateTime('UTC') COMMENT 'start of the 15 minutes' CODEC(Delta, ZSTD(1)),
    advertiser_id      LowCardinality(String),
    campaign_id        LowCardinality(String),
    platform           LowCardinality(String),
    currency           LowCardinality(String) COMMENT 'the campaign''s',
    hits               UInt64,
    clicks             UInt64 COMMENT 'valid',
    unique_clicks      UInt64 COMMENT 'valid and unique',
    platform_mismatch  UInt64 COMMENT 'valid, and seen to come from another platform',
    invalid_test       UInt64,
    invalid_probe      UInt64,
    invalid_prefetch   UInt64,
    invalid_preview    UInt64,
    invalid_bot        UInt64,
    invalid_datacenter UInt64,
    invalid_rate       UInt64,
    corrected          SimpleAggregateFunction(max, UInt64) COMMENT 'the last step of judging hits again that is in here'
)
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', (hits, clicks, unique_clicks, platform_mismatch, invalid_test, invalid_probe, invalid_prefetch,
    invalid_preview, invalid_bot, invalid_datacenter, invalid_rate, corrected))
PARTITION BY toYYYYMM(bucket)
PRIMARY KEY (advertiser_id, campaign_id, bucket)
ORDER BY (advertiser_id, campaign_id, bucket, platform, currency)
SETTINGS
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS campaign_clicks_15m ON CLUSTER 'main' AS campaign_clicks_15m_local
ENGINE = Distributed('main', currentDatabase(), campaign_clicks_15m_local, cityHash64(advertiser_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS campaign_clicks_15m_mv ON CLUSTER 'main' TO campaign_clicks_15m_local AS
SELECT
    toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket,
    advertiser_id, campaign_id, platform, currency,
    count() AS hits,
    countIf(verdict = 'valid') AS clicks,
    countIf(verdict = 'valid' AND is_unique = 1) AS unique_clicks,
    countIf(verdict = 'valid' AND observed_platform != '' AND observed_platform != platform) AS platform_mismatch,
    countIf(verdict = 'test') AS invalid_test,
    countIf(verdict = 'probe') AS invalid_probe,
    countIf(verdict = 'prefetch') AS invalid_prefetch,
    countIf(verdict = 'preview') AS invalid_preview,
    countIf(verdict = 'bot') AS invalid_bot,
    countIf(verdict = 'datacenter') AS invalid_datacenter,
    countIf(verdict = 'rate') AS invalid_rate
FROM clicks_local
GROUP BY bucket, advertiser_id, campaign_id, platform, currency;

-- The ledger's conversions and actions as they are now, and every entry, copied
-- for reports from the SQL database, which stays the truth. Money is minor units
-- of currency. Empty text means none, the first moment of 1970 never.
--
-- A row that changed is inserted anew with a greater version, and one that was
-- sent twice is the same row: always read them with FINAL.
CREATE TABLE IF NOT EXISTS conversions_local ON CLUSTER 'main'
(
    id             String CODEC(ZSTD(1)),
    advertiser_id  LowCardinality(String),
    event          LowCardinality(String),
    order_id       String CODEC(ZSTD(1)),
    amount_minor   Int64 CODEC(ZSTD(1)),
    currency       LowCardinality(String) COMMENT 'as reported, empty without an amount',
    source         LowCardinality(String),
    signed         UInt8,
    attributed     UInt8,
    reason         LowCardinality(String) COMMENT 'why nobody was credited',
    event_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    refunded_minor Int64 CODEC(ZSTD(1)),
    upgraded_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    updated_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    customer       String COMMENT 'keyed hash' CODEC(ZSTD(1)),
    code           String COMMENT 'as reported, whatever came of it' CODEC(ZSTD(1)),
    code_credited  UInt8,
    code_reason    LowCardinality(String) COMMENT 'why it was only noted',
    code_task      String COMMENT 'whose it is, empty: nobody''s' CODEC(ZSTD(1)),
    code_creator   LowCardinality(String),
    code_campaign  LowCardinality(String),
    code_platform  LowCardinality(String),
    -- The clicks that were asked, oldest first: one element of each array for one
    -- click. Of a forged one only its id is known.
    touch_ids       Array(String) CODEC(ZSTD(1)),
    touch_times     Array(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    touch_links     Array(String) CODEC(ZSTD(1)),
    touch_tasks     Array(String) CODEC(ZSTD(1)),
    touch_creators  Array(LowCardinality(String)),
    touch_campaigns Array(LowCardinality(String)),
    touch_platforms Array(LowCardinality(String)),
    touch_verdicts  Array(LowCardinality(String)) COMMENT 'empty: forged',
    touch_outcomes  Array(LowCardinality(String)) COMMENT 'credited lost ineligible',
    touch_reasons   Array(LowCardinality(String)) COMMENT 'why it was not credited',
    version        UInt64 COMMENT 'number of the message in the ledger''s outbox' CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
PARTITION BY toYear(event_time)
ORDER BY (advertiser_id, event_time, id)
SETTINGS
    index_granularity = 8192,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS conversions ON CLUSTER 'main' AS conversions_local
ENGINE = Distributed('main', currentDatabase(), conversions_local, cityHash64(advertiser_id));

-- In the order of the listing, newest last. A page of it may be few rows out of many
-- places: small granules, and a row also as one column, whole, because to read forty
-- in every place is slow. Its fields are in the order in which admin/reports reads
-- them: texts, numbers, and the reasons, of which there are any number.
CREATE TABLE IF NOT EXISTS actions_local ON CLUSTER 'main'
(
    id             String CODEC(ZSTD(1)),
    conversion_id  String COMMENT 'empty: of a task, a post or clicks' CODEC(ZSTD(1)),
    advertiser_id  LowCardinality(String),
    campaign_id    LowCardinality(String),
    creator_id     LowCardinality(String),
    task_id        LowCardinality(String),
    link_id        LowCardinality(String),
    post_id        LowCardinality(String),
    code           LowCardinality(String),
    platform       LowCardinality(String),
    event          LowCardinality(String),
    order_id       String CODEC(ZSTD(1)),
    click_id       String CODEC(ZSTD(1)),
    corrects       String COMMENT 'of an adjustment: the action it corrects' CODEC(ZSTD(1)),
    referral       LowCardinality(String),
    model          LowCardinality(String),
    credit         LowCardinality(String) COMMENT 'exact fraction',
    quantity       Int64 CODEC(ZSTD(1)),
    currency       LowCardinality(String) COMMENT 'the campaign''s',
    amount_minor   Int64 CODEC(ZSTD(1)),
    intended_minor Int64 CODEC(ZSTD(1)),
    payout_minor   Int64 CODEC(ZSTD(1)),
    cost_minor     Int64 CODEC(ZSTD(1)),
    state          LowCardinality(String) COMMENT 'held pending locked payable paid reversed',
    reasons        Array(LowCardinality(String)),
    reversal       LowCardinality(String),
    notes          String CODEC(ZSTD(1)),
    click_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    event_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    lock_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    pay_at         DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    locked_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    payable_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    paid_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    reversed_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    payout_id      String CODEC(ZSTD(1)),
    terms_version  UInt32,
    created_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    updated_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    seq            UInt64 COMMENT 'how many entries made it what it is' CODEC(ZSTD(1)),
    whole          String MATERIALIZED toJSONString(arrayConcat(
        [id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, order_id, click_id, corrects,
            referral, model, credit, currency, state, reversal, notes, payout_id],
        arrayMap(number -> toString(number), [quantity, amount_minor, intended_minor, payout_minor, cost_minor, toInt64(terms_version), toInt64(seq)]),
        arrayMap(time -> toString(toUnixTimestamp64Milli(time)), [click_time, event_time, received_at, lock_at, pay_at, locked_at, payable_at, paid_at,
            reversed_at, created_at, updated_at]),
        CAST(reasons AS Array(String)))) CODEC(ZSTD(1)),
    INDEX actions_id id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_conversion conversion_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_order order_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_click click_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_payout payout_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_task task_id TYPE bloom_filter GRANULARITY 1,
    INDEX actions_code lower(code) TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', seq)
PARTITION BY toYear(event_time)
ORDER BY (event_time, id)
SETTINGS
    index_granularity = 256,
    min_compress_block_size = 8192,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS actions ON CLUSTER 'main' AS actions_local
ENGINE = Distributed('main', currentDatabase(), actions_local, cityHash64(advertiser_id));

-- What made each action what it is, with the fields of the action that never
-- change. Not partitioned: an insert is whole or not there, and so the greatest
-- number says how far the copy reaches.
CREATE TABLE IF NOT EXISTS entries ON CLUSTER 'main'
(
    number         UInt64 CODEC(Delta, ZSTD(1)),
    action_id      String CODEC(ZSTD(1)),
    seq            UInt64 COMMENT 'of the action' CODEC(ZSTD(1)),
    at             DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    verb           LowCardinality(String),
    role           LowCardinality(String),
    from_state     LowCardinality(String) COMMENT 'empty: it was made',
    to_state       LowCardinality(String),
    advertiser_id  LowCardinality(String),
    campaign_id    LowCardinality(String),
    creator_id     LowCardinality(String),
    task_id        LowCardinality(String),
    link_id        LowCardinality(String),
    post_id        LowCardinality(String),
    code           LowCardinality(String),
    platform       LowCardinality(String),
    event          LowCardinality(String),
    referral       LowCardinality(String),
    currency       LowCardinality(String),
    event_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    orders_nano    Int64 COMMENT 'its part of an order, in billionths; 0 where it is no further action of one' CODEC(ZSTD(1)),
    whole_orders   Int64 COMMENT '1: the whole order is its' CODEC(ZSTD(1)),
    known_customer Int64 COMMENT '1: whether the customer is new is known' CODEC(ZSTD(1)),
    new_customer   Int64 COMMENT '1: the customer is new' CODEC(ZSTD(1)),
    amount_delta   Int64 CODEC(ZSTD(1)),
    intended_delta Int64 CODEC(ZSTD(1)),
    payout_delta   Int64 CODEC(ZSTD(1)),
    cost_delta     Int64 CODEC(ZSTD(1)),
    amount_minor   Int64 COMMENT 'of the action, behind the entry' CODEC(ZSTD(1)),
    payout_minor   Int64 COMMENT 'of the action, behind the entry' CODEC(ZSTD(1)),
    cost_minor     Int64 COMMENT 'of the action, behind the entry' CODEC(ZSTD(1)),
    INDEX entries_event_time event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY number
SETTINGS
    index_granularity = 8192,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- Shoppers the tag saw on the shop's pages. A click that was seen more than once
-- is one row: read it with FINAL. Of the times it was seen, the last is kept.
CREATE TABLE IF NOT EXISTS landings_local ON CLUSTER 'main'
(
    click_id      String CODEC(ZSTD(1)),
    click_time    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    advertiser_id LowCardinality(String),
    campaign_id   LowCardinality(String),
    creator_id    LowCardinality(String),
    task_id       String CODEC(ZSTD(1)),
    link_id       String CODEC(ZSTD(1)),
    platform      LowCardinality(String),
    page_host     LowCardinality(String),
    seen_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version       UInt64 COMMENT 'number of the message in the ledger''s outbox' CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
PARTITION BY toYYYYMM(click_time)
ORDER BY (advertiser_id, campaign_id, click_time, click_id)
SETTINGS
    index_granularity = 8192,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS landings ON CLUSTER 'main' AS landings_local
ENGINE = Distributed('main', currentDatabase(), landings_local, cityHash64(advertiser_id));

-- What the entries come to by quarter of an hour of event time: every entry takes
-- its action out of the state it was in and puts it into the state it came to.
-- Always sum(): the rows of one key are added up while parts are merged, and those
-- that come to nothing are dropped.
--
-- Made of entries by sum_actions.sql. The row of no advertiser is its position:
-- its actions are the number of the last entry. Not partitioned: an insert is whole
-- or not there, and the position with it.
CREATE TABLE IF NOT EXISTS action_sums ON CLUSTER 'main'
(
    bucket         DateTime('UTC') COMMENT 'start of the 15 minutes' CODEC(Delta, ZSTD(1)),
    advertiser_id  LowCardinality(String),
    campaign_id    LowCardinality(String),
    creator_id     LowCardinality(String),
    task_id        LowCardinality(String),
    link_id        LowCardinality(String),
    post_id        LowCardinality(String),
    code           LowCardinality(String),
    platform       LowCardinality(String),
    event          LowCardinality(String),
    referral       LowCardinality(String),
    currency       LowCardinality(String),
    state          LowCardinality(String),
    actions        Int64 CODEC(ZSTD(1)),
    orders_nano    Int64 CODEC(ZSTD(1)),
    whole_orders   Int64 CODEC(ZSTD(1)),
    known_customer Int64 CODEC(ZSTD(1)),
    new_customer   Int64 CODEC(ZSTD(1)),
    amount_minor   Int64 CODEC(ZSTD(1)),
    payout_minor   Int64 CODEC(ZSTD(1)),
    cost_minor     Int64 CODEC(ZSTD(1))
)
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}', (actions, orders_nano, whole_orders, known_customer, new_customer, amount_minor, payout_minor, cost_minor))
PRIMARY KEY (advertiser_id, campaign_id, bucket)
ORDER BY (advertiser_id, campaign_id, bucket, creator_id, task_id, link_id, post_id, code, platform, event, referral, currency, state)
SETTINGS
    index_granularity = 8192,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

-- Actions that share an order with others, to tell orders apart that cannot be
-- added up. An action that was sent more than once is the same row.
CREATE TABLE IF NOT EXISTS shared_orders_local ON CLUSTER 'main'
(
    id             String CODEC(ZSTD(1)),
    conversion_id  String CODEC(ZSTD(1)),
    advertiser_id  LowCardinality(String),
    campaign_id    LowCardinality(String),
    creator_id     LowCardinality(String),
    task_id        LowCardinality(String),
    link_id        LowCardinality(String),
    post_id        LowCardinality(String),
    code           LowCardinality(String),
    platform       LowCardinality(String),
    event          LowCardinality(String),
    currency       LowCardinality(String),
    event_time     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    created_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (advertiser_id, campaign_id, event_time, id)
SETTINGS
    index_granularity = 8192,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS shared_orders ON CLUSTER 'main' AS shared_orders_local
ENGINE = Distributed('main', currentDatabase(), shared_orders_local, cityHash64(advertiser_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS shared_orders_mv ON CLUSTER 'main' TO shared_orders_local AS
SELECT
    id, conversion_id, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, code, platform, event, currency, event_time, created_at
FROM actions_local
WHERE conversion_id != '' AND credit NOT IN ('', '1') AND referral != 'adjustment';

-- Every state a post was ever in, and what it had achieved by then: the row of the
-- greatest version is the post as it is. One that was sent twice is the same row.
CREATE TABLE IF NOT EXISTS posts_local ON CLUSTER 'main'
(
    post_id       String CODEC(ZSTD(1)),
    advertiser_id LowCardinality(String),
    campaign_id   LowCardinality(String),
    creator_id    LowCardinality(String),
    task_id       LowCardinality(String),
    platform      LowCardinality(String),
    currency      LowCardinality(String) COMMENT 'the campaign''s',
    status        LowCardinality(String),
    archived      UInt8,
    posted_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    views         Int64 CODEC(ZSTD(1)),
    likes         Int64 CODEC(ZSTD(1)),
    shares        Int64 CODEC(ZSTD(1)),
    comments      Int64 CODEC(ZSTD(1)),
    told_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version       UInt64 COMMENT 'number of the message in the ledger''s outbox' CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (advertiser_id, campaign_id, post_id, version)
SETTINGS
    index_granularity = 8192,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 315360000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS posts ON CLUSTER 'main' AS posts_local
ENGINE = Distributed('main', currentDatabase(), posts_local, cityHash64(advertiser_id));

-- The hits that a step of judging hits again changes: before anything is changed,
-- what is to change lies here. A step is one insert, whole or not there, and its
-- partition is dropped when it is done.
CREATE TABLE IF NOT EXISTS click_changes_local ON CLUSTER 'main'
(
    step              UInt64 COMMENT 'numbered across runs',
    node              LowCardinality(String),
    seq               UInt64,
    click_id          String,
    time              DateTime64(3, 'UTC'),
    advertiser_id     LowCardinality(String),
    campaign_id       LowCardinality(String),
    creator_id        LowCardinality(String),
    task_id           LowCardinality(String),
    link_id           LowCardinality(String),
    post_id           LowCardinality(String),
    platform          LowCardinality(String),
    currency          LowCardinality(String),
    mismatch          UInt8 COMMENT 'seen to come from another platform',
    old_verdict       LowCardinality(String),
    old_unique        UInt8,
    new_verdict       LowCardinality(String),
    new_unique        UInt8,
    outcome           UInt16 COMMENT 'which of the step''s new reasons and uniqueness'
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY step
ORDER BY (step, outcome, node, seq)
SETTINGS
    index_granularity = 8192,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    replicated_deduplication_window = 0;

CREATE TABLE IF NOT EXISTS click_changes ON CLUSTER 'main' AS click_changes_local
ENGINE = Distributed('main', currentDatabase(), click_changes_local, cityHash64(advertiser_id));

-- What is left of a click is what figures are made of. Visitors are not named here: statements are kept.
ALTER TABLE clicks_local ON CLUSTER 'main' UPDATE
    erased = 1, visitor = 0, network = '', user_agent = '', os_version = '', browser_version = '', language = '', region = '', city = '',
    asn = 0, asn_org = '', sub1 = '', sub2 = '', sub3 = '', sub4 = '', sub5 = '', destination = cutQueryStringAndFragment(destination)
WHERE advertiser_id = ? AND time >= ? AND time <= ? AND click_id IN ?
SETTINGS mutations_sync = 2;

-- The customer is not named here: statements are kept.
ALTER TABLE conversions_local ON CLUSTER 'main' UPDATE customer = ? WHERE advertiser_id = ? AND id IN ? SETTINGS mutations_sync = 2;

-- Changes the rows of a step's hits. A template: what goes in are numbers and names
-- of reasons. Repeated, it changes nothing.
ALTER TABLE clicks_local ON CLUSTER 'main'
{{- range $i, $outcome := .Outcomes}}
    {{- if $i}},{{end}}
    UPDATE first_unique = if(first_verdict = '', is_unique, first_unique), first_verdict = if(first_verdict = '', verdict, first_verdict),
        verdict = '{{.Verdict}}', reasons = {{.Reasons}}, is_unique = {{.Unique}}, rules_version = {{$.RulesVersion}}
    WHERE time >= fromUnixTimestamp64Milli({{$.FromMs}}, 'UTC') AND time < fromUnixTimestamp64Milli({{$.ToMs}}, 'UTC')
        AND (node, seq) IN (SELECT node, seq FROM click_changes_local WHERE step = {{$.Step}} AND outcome = {{.Number}})
{{- end}};

ALTER TABLE clicks_local ON CLUSTER 'main' MODIFY TTL toDateTime(time) + toIntervalMonth(25);

ALTER TABLE clicks_local ON CLUSTER 'main' REMOVE TTL;

TRUNCATE TABLE click_changes_local ON CLUSTER 'main';

ALTER TABLE clicks_local ON CLUSTER 'main' DROP PARTITION ID '202611';

ALTER TABLE action_sums ON CLUSTER 'main' DROP PARTITION ID 'all';

OPTIMIZE TABLE clicks_local ON CLUSTER 'main' FINAL;

ALTER TABLE clicks_local ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS colour String;

ALTER TABLE clicks ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS colour String;

DROP TABLE IF EXISTS moving_in ON CLUSTER 'main' SYNC;

DROP VIEW IF EXISTS clicks_15m_mv ON CLUSTER 'main';

INSERT INTO clicks (click_id) SELECT 'c';

SELECT count() FROM clicks;

