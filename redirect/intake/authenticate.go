package intake

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"tributary/attribution"
	"tributary/caller"
	"tributary/redirect/intake/fields"
)

// The headers of a signed request.
const (
	headerKeyID     = "Tributary-Key-Id"
	headerTimestamp = "Tributary-Timestamp"
	headerSignature = "Tributary-Signature"
)

// The roles of keys that may report.
const (
	roleAdmin      = "admin"
	roleAdvertiser = "advertiser"
	roleIngest     = "ingest"
)

// The bounds of what is tried as a credential.
const (
	maxBearerBytes   = 256
	maxSignatures    = 4
	signatureVersion = "v1="
	keptSignature    = 16 // bytes of a signature that name what was signed
)

// authenticate says who reports: by bearer key, or by signature when there is one.
func (x *Intake) authenticate(ctx *fasthttp.RequestCtx, client netip.Addr) (*fields.Sender, *refusal) {
	if !x.o.Credentials.Ready() {
		return nil, unavailable("API keys are still being loaded")
	}
	from := &fields.Sender{Source: attribution.SourceServer, Signed: true}
	var credential attribution.Credential
	var why *refusal
	if isSigned(&ctx.Request.Header) {
		credential, why = x.bySignature(ctx, client, from)
	} else {
		credential, why = x.byKey(ctx, client)
	}
	if why != nil {
		return nil, why
	}
	from.KeyID, from.AdvertiserID = credential.ID, credential.AdvertiserID
	return from, x.scope(from, credential.Role, string(ctx.QueryArgs().Peek("advertiser_id")))
}

// vouch says what speaks against reading a long body, judged by its headers: a key
// that opens nothing, or a signature that cannot be right. Whether a signature is
// right only the whole body shows.
func (x *Intake) vouch(ctx *fasthttp.RequestCtx, client netip.Addr) *refusal {
	if !x.o.Credentials.Ready() {
		return unavailable("API keys are still being loaded")
	}
	if isSigned(&ctx.Request.Header) {
		_, _, why := x.signersOf(ctx, client)
		return why
	}
	_, why := x.byKey(ctx, client)
	return why
}

func isSigned(header *fasthttp.RequestHeader) bool { return len(header.Peek(headerSignature)) > 0 }

// scope says whose reports the sender may bring. named is the advertiser that the
// request names; an admin's key must name one, here or in each report.
func (x *Intake) scope(from *fields.Sender, role, named string) *refusal {
	stranger := &refusal{fasthttp.StatusNotFound, attribution.CodeNotFound, "there is no such advertiser, or it is not this key's"}
	if role != roleAdmin {
		if named != "" && named != from.AdvertiserID {
			return stranger
		}
		return nil
	}
	from.Admin, from.Knows = true, x.o.Credentials.HasAdvertiser
	if named != "" && !x.o.Credentials.HasAdvertiser(named) {
		return stranger
	}
	from.AdvertiserID = named
	return nil
}

func (x *Intake) byKey(ctx *fasthttp.RequestCtx, client netip.Addr) (attribution.Credential, *refusal) {
	unauthorized := &refusal{fasthttp.StatusUnauthorized, codeUnauthorized,
		"send an ingest key as Authorization: Bearer trb_…, or sign the request; this key is missing, unknown, revoked or expired"}
	secret, given := bearer(&ctx.Request.Header)
	if !given {
		return attribution.Credential{}, unauthorized
	}
	if why := x.mayTry(ctx, client, secret); why != nil {
		return attribution.Credential{}, why
	}
	credential, known := x.o.Credentials.Bearer(secret)
	if !known {
		x.refresh()
		credential, known = x.o.Credentials.Bearer(secret)
	}
	if !known && !x.o.Credentials.Sure() {
		return attribution.Credential{}, unavailable("new API keys are still being loaded")
	}
	if !known || x.expired(&credential) {
		x.tries.Failed(client, x.clock())
		return attribution.Credential{}, unauthorized
	}
	x.tries.Passed(client, secret)
	switch credential.Role {
	case roleAdmin, roleAdvertiser, roleIngest:
		return credential, nil
	}
	return attribution.Credential{}, &refusal{fasthttp.StatusForbidden, attribution.CodeForbidden, "a key of role " + credential.Role + " reports no conversions"}
}

// mayTry refuses a network that has tried too many keys, but for keys that it has
// used before.
func (x *Intake) mayTry(ctx *fasthttp.RequestCtx, client netip.Addr, secret string) *refusal {
	wait := x.tries.Wait(client, secret, x.clock())
	if wait == 0 {
		return nil
	}
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, caller.RetryAfter(wait))
	return &refusal{fasthttp.StatusTooManyRequests, codeTries, "too many keys from this network opened nothing: send again after Retry-After"}
}

// refreshPatience is how long a stranger waits for the catalog to be asked.
const refreshPatience = 500 * time.Millisecond

// refresh looks for credentials that were made a moment ago.
func (x *Intake) refresh() {
	patience, cancel := context.WithTimeout(context.Background(), refreshPatience)
	defer cancel()
	x.o.Credentials.Refresh(patience)
}

func (x *Intake) expired(c *attribution.Credential) bool {
	return c.ExpiresAt != 0 && attribution.InstantOf(x.o.Now()) >= c.ExpiresAt
}

func bearer(header *fasthttp.RequestHeader) (secret string, given bool) {
	const scheme = "bearer "
	value := header.Peek(fasthttp.HeaderAuthorization)
	if len(value) <= len(scheme) || len(value) > maxBearerBytes || !bytes.EqualFold(value[:len(scheme)], []byte(scheme)) {
		return "", false
	}
	return string(bytes.TrimSpace(value[len(scheme):])), true
}

// signersOf returns who may have signed a request, and when they say they did. That is
// real time, in rehearsals too.
func (x *Intake) signersOf(ctx *fasthttp.RequestCtx, client netip.Addr) (signers []attribution.Credential, timestamp []byte, why *refusal) {
	timestamp = ctx.Request.Header.Peek(headerTimestamp)
	seconds, err := strconv.ParseInt(string(timestamp), 10, 64)
	if err != nil {
		return nil, nil, &refusal{fasthttp.StatusUnauthorized, "invalid_timestamp", headerTimestamp + " must be the time of signing in seconds since the Unix epoch"}
	}
	if off := x.clock().Unix() - seconds; off > int64(timestampWindow/time.Second) || off < -int64(timestampWindow/time.Second) {
		return nil, nil, &refusal{fasthttp.StatusUnauthorized, "stale_timestamp", headerTimestamp + " is more than 5 minutes off: sign when you send, and set the clock"}
	}
	id := signerID(&ctx.Request.Header)
	if why := x.mayTry(ctx, client, id); why != nil {
		return nil, nil, why
	}
	signers = x.o.Credentials.Signers(id)
	if len(signers) == 0 {
		x.refresh()
		signers = x.o.Credentials.Signers(id)
	}
	if len(signers) == 0 {
		return nil, nil, x.signedByNobody(client)
	}
	return signers, timestamp, nil
}

// bySignature checks a signed request.
func (x *Intake) bySignature(ctx *fasthttp.RequestCtx, client netip.Addr, from *fields.Sender) (attribution.Credential, *refusal) {
	signers, timestamp, why := x.signersOf(ctx, client)
	if why != nil {
		return attribution.Credential{}, why
	}
	given := string(ctx.Request.Header.Peek(headerSignature))
	for _, signer := range signers {
		mac := hmac.New(sha256.New, []byte(signer.Secret))
		mac.Write(timestamp)
		mac.Write([]byte{'.'})
		mac.Write(ctx.Request.Body())
		sum := mac.Sum(nil)
		if signedBy(given, sum) {
			x.tries.Passed(client, signerID(&ctx.Request.Header))
			from.Signature = hex.EncodeToString(sum[:keptSignature])
			return signer, nil
		}
	}
	return attribution.Credential{}, x.signedByNobody(client)
}

func (x *Intake) signedByNobody(client netip.Addr) *refusal {
	if !x.o.Credentials.Sure() {
		return unavailable("new secrets are still being loaded")
	}
	x.tries.Failed(client, x.clock())
	return &refusal{fasthttp.StatusUnauthorized, "invalid_signature",
		headerSignature + " must be v1= and the hexadecimal HMAC-SHA256 of timestamp, a dot and the body, under a live secret of " + headerKeyID}
}

func signerID(header *fasthttp.RequestHeader) string {
	return string(header.Peek(headerKeyID))
}

// signedBy reports whether one of the signatures in a header is sum.
func signedBy(header string, sum []byte) bool {
	signatures := strings.SplitN(header, ",", maxSignatures+1)
	for _, signature := range signatures[:min(len(signatures), maxSignatures)] {
		text, versioned := strings.CutPrefix(strings.TrimSpace(signature), signatureVersion)
		given, err := hex.DecodeString(text)
		if versioned && err == nil && hmac.Equal(given, sum) {
			return true
		}
	}
	return false
}
