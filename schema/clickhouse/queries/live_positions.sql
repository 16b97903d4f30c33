-- How far each node's log is stored, as the clicks since a time say.
SELECT node, max(seq) FROM clicks WHERE time >= {since:DateTime64(3, 'UTC')} GROUP BY node
