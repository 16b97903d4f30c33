// Package catalog keeps the things of Tributary in SQL: advertisers, creators,
// campaigns, participations, tasks, drafts, posts, links, codes and keys, and
// publishes what trackers must know of them as a feed of numbered changes.
//
// What it promises:
//
//   - Every write checks all fields and names each one that fails
//     (attribution.Problem), and is in the audit log.
//   - A change and its number are one transaction, and numbers are given in the
//     order of commits: a follower that asks for what is above the last number it
//     saw misses nothing.
//   - One tenant never sees or touches what belongs to another: a thing out of
//     scope is not found, like one that does not exist. Only a verb that a role
//     never has is forbidden.
//   - A creator sees a campaign when it is in it, or may join it now or once its
//     selection starts, and never otherwise; who is refused is told every
//     condition that is not met. Joining twice, or from two places at once, is
//     joining once.
//   - What others must be told of, a creator's new status in a campaign or a pool
//     of codes that is low, is in the outbox in the transaction that made it so.
//   - What a campaign, its terms or a participation was at a past time is kept,
//     for the ledger to read.
//   - Nothing is lost by archiving. Links go on redirecting in every state of
//     their campaign; only a deleted link is gone, and its slug stays taken.
//   - Secrets of keys and postback tokens are stored as keyed hashes only; HMAC
//     secrets, which signatures are checked with, are sealed under the pepper.
//
// Reading order: things.go (the things), scope.go and list.go (who sees what),
// catalog.go, check.go and merge.go (how a write goes), advertisers.go (the
// simplest thing, like the others), campaigns.go with campaign_check.go,
// campaign_store.go and terms.go, eligibility.go, offers.go, starting.go,
// joining.go, participations.go and invitations.go (who comes in), tasks.go,
// drafts.go, posts.go and work.go (what they do), links.go with link_check.go
// and link_make.go, codes.go and code_pool.go, outbox.go (who is told),
// routes.go (the feed). Who may come in at all: keys.go, authenticate.go,
// sessions.go and me.go; secrets.go and credentials.go (what trackers take
// reports by). audit.go and idempotency.go are about every write.
package catalog
