-- Hits, newest first. A template like performance.sql.
SELECT
    click_id, time, advertiser_id, campaign_id, creator_id, task_id, link_id, post_id, platform, observed_platform,
    verdict, reasons, rules_version, is_unique, method, destination, rule, country, region, city, asn, asn_org, network,
    device, os, os_version, browser, browser_version, in_app, referrer_host, language, sub1, sub2, sub3, sub4, sub5,
    unpayable, gpc
FROM clicks
WHERE time >= {from:DateTime64(3, 'UTC')} AND time < {to:DateTime64(3, 'UTC')}
    {{- range .Conditions}}
    AND {{.}}
    {{- end}}
ORDER BY time DESC, click_id DESC
LIMIT {{.Limit}}
