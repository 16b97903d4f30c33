package intake

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"net/netip"

	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/caller"
	"tributary/redirect/intake/fields"
	"tributary/redirect/links"
)

// The bounds of what is kept of a browser's headers.
const (
	maxUserAgentBytes = 512
	maxHostBytes      = 253
	maxPublicKeyBytes = 64
)

// A visit is an unsigned request of a page: whose page it says it is, and whether
// the browser agrees.
type visit struct {
	from    *fields.Sender
	origin  []byte // the page's, when it is the advertiser's: scheme, host and port
	foreign bool   // the page is somebody else's
}

// visitOf says who sends without a signature, or why nothing is taken of it.
func (x *Intake) visitOf(ctx *fasthttp.RequestCtx, source string, publicKey []byte, client netip.Addr) (visit, *refusal) {
	advertiser, why := x.named(publicKey)
	if why != nil {
		return visit{}, why
	}
	network := caller.Network(client)
	if !client.IsLoopback() && x.rates.Exceeded(caller.NetworkKey(network), maphash.String(x.seed, advertiser.ID), x.clock().UnixMilli()) {
		return visit{}, &refusal{fasthttp.StatusTooManyRequests, codeRate, "too many reports from this network"}
	}
	v := visit{from: &fields.Sender{
		Source: source, AdvertiserID: advertiser.ID,
		UserAgent: x.reader.Shown(ctx.Request.Header.UserAgent(), maxUserAgentBytes),
	}}
	if network.IsValid() {
		v.from.Network = network.String()
	}
	if page := pageOf(&ctx.Request.Header); len(page) > 0 {
		v.from.PageHost = x.reader.Shown(bytes.ToLower(hostOf(page)), maxHostBytes)
		if v.foreign = !attribution.DestinationAllowed(page, advertiser.Domains); !v.foreign {
			v.origin = page
		}
	}
	return v, nil
}

func (x *Intake) named(publicKey []byte) (*links.Advertiser, *refusal) {
	if len(publicKey) > 0 && len(publicKey) <= maxPublicKeyBytes {
		if advertiser, known := x.o.Advertisers.AdvertiserByPublicKey(string(publicKey)); known {
			return advertiser, nil
		}
	}
	if !x.o.Advertisers.Stats().Ready {
		return nil, unavailable("advertisers are still being loaded")
	}
	return nil, &refusal{fasthttp.StatusNotFound, attribution.CodeNotFound, "adv must be an advertiser's public key"}
}

// keep makes an unsigned report durable, as rejected when its page is somebody
// else's.
func (x *Intake) keep(v visit, item *fields.Item) error {
	if v.foreign && item.Rejected == nil {
		item.Rejected = &attribution.Rejection{Code: codeOrigin, Reason: "the page is not on one of the advertiser's domains"}
		if v.from.PageHost != "" {
			item.Rejected.Reason = "the page is on " + v.from.PageHost + ", which is not one of the advertiser's domains"
		}
		item.Report.Rejected = item.Rejected
		raw, err := json.Marshal(item.Report.Fields)
		if err != nil {
			return err
		}
		item.Report.Raw = raw
	}
	err := x.storeOne(item.Report)
	x.metrics.one(item.Report, err == nil)
	return err
}

// pageOf is the origin of the page that sends, as the browser tells it: from
// Origin, or else from Referer. Empty: the browser does not tell.
func pageOf(header *fasthttp.RequestHeader) []byte {
	if origin := header.Peek(fasthttp.HeaderOrigin); len(origin) > 0 && string(origin) != "null" {
		return origin
	}
	referer := header.Referer()
	if start := bytes.Index(referer, []byte("://")); start >= 0 {
		start += len("://")
		if end := bytes.IndexAny(referer[start:], "/?#"); end >= 0 {
			return referer[:start+end]
		}
	}
	return referer
}

func hostOf(origin []byte) []byte {
	_, host, _ := bytes.Cut(origin, []byte("://"))
	if colon := bytes.LastIndexByte(host, ':'); colon >= 0 {
		host = host[:colon]
	}
	return host
}
