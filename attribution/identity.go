package attribution

import "encoding/binary"

// A LinkIdentity says whose click it is. A tracker keeps it encoded beside each
// link, so that recording a click copies it and looks nothing up.
type LinkIdentity struct {
	Number       uint64
	LinkID       string
	TaskID       string
	PostID       string
	CampaignID   string
	CreatorID    string
	AdvertiserID string
	Platform     string
	Currency     string // the campaign's: figures of several currencies are never mixed
}

// An encoded LinkIdentity is five parts in a row. Each says what one thing
// brings, so that whoever has many links keeps a campaign's part once and puts
// an identity together by copying:
//
//	link        identifiers of link, task, post, creator
//	campaign    its identifier
//	advertiser  its identifier
//	label       platform and currency, each a text behind its uvarint length
//	number      uvarint
//
// The identifiers of a part follow a byte that says in what form each is, in
// two bits, the first's lowest: idEmpty is nothing; idPacked, of an identifier
// with the prefix of its field, its packedIDBytes; idText, of anything else, the
// text behind its uvarint length.
const (
	idEmpty  = 0
	idPacked = 1
	idText   = 2
)

// An IdentityField names a text of a LinkIdentity.
type IdentityField int

// The texts of a LinkIdentity, as they follow each other when encoded.
const (
	IdentityLink IdentityField = iota
	IdentityTask
	IdentityPost
	IdentityCreator
	IdentityCampaign
	IdentityAdvertiser
	IdentityPlatform
	IdentityCurrency
	identityFields
)

// identityPrefixes are the prefixes of the fields that are identifiers.
var identityPrefixes = [identityFields]string{
	PrefixLink, PrefixTask, PrefixPost, PrefixCreator, PrefixCampaign, PrefixAdvertiser, "", "",
}

func (id *LinkIdentity) texts() [identityFields]*string {
	return [...]*string{&id.LinkID, &id.TaskID, &id.PostID, &id.CreatorID, &id.CampaignID, &id.AdvertiserID, &id.Platform, &id.Currency}
}

// AppendIdentity appends the encoding of id to dst: its five parts.
func AppendIdentity(dst []byte, id *LinkIdentity) []byte {
	dst = AppendLinkPart(dst, id)
	dst = AppendCampaignPart(dst, id.CampaignID)
	dst = AppendAdvertiserPart(dst, id.AdvertiserID)
	dst = AppendLabelPart(dst, id.Platform, id.Currency)
	return AppendNumberPart(dst, id.Number)
}

// AppendLinkPart appends the first part of an encoded identity.
func AppendLinkPart(dst []byte, id *LinkIdentity) []byte {
	return appendIdentifiers(dst, IdentityLink, id.LinkID, id.TaskID, id.PostID, id.CreatorID)
}

// AppendCampaignPart appends the second part of an encoded identity.
func AppendCampaignPart(dst []byte, campaignID string) []byte {
	return appendIdentifiers(dst, IdentityCampaign, campaignID)
}

// AppendAdvertiserPart appends the third part of an encoded identity.
func AppendAdvertiserPart(dst []byte, advertiserID string) []byte {
	return appendIdentifiers(dst, IdentityAdvertiser, advertiserID)
}

// AppendLabelPart appends the fourth part of an encoded identity.
func AppendLabelPart(dst []byte, platform, currency string) []byte {
	return appendText(appendText(dst, platform), currency)
}

// AppendNumberPart appends the last part of an encoded identity.
func AppendNumberPart(dst []byte, number uint64) []byte {
	return binary.AppendUvarint(dst, number)
}

// appendIdentifiers appends the identifiers in a part, from first on.
func appendIdentifiers(dst []byte, first IdentityField, ids ...string) []byte {
	forms := len(dst)
	dst = append(dst, 0)
	for i, id := range ids {
		form, prefix := byte(idText), identityPrefixes[int(first)+i]
		switch {
		case id == "":
			form = idEmpty
		case ValidID(prefix, id):
			form = idPacked
			dst = appendPackedID(dst, id[len(prefix):])
		default:
			dst = appendText(dst, id)
		}
		dst[forms] |= form << (2 * i)
	}
	return dst
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// ValidLinkPart reports whether part is the first of an encoded identity.
func ValidLinkPart(part []byte) bool {
	r := recordReader{rest: part}
	var ids [IdentityCampaign]identityText
	r.identifiers(ids[:])
	return !r.failed && len(r.rest) == 0
}

// AppendIdentityField appends a text of an encoded identity to dst, or nothing
// when encoded is no such thing.
func AppendIdentityField(dst, encoded []byte, field IdentityField) []byte {
	var texts identityTexts
	if _, whole := texts.split(encoded); whole {
		return texts[field].append(dst, field)
	}
	return dst
}

// DecodeIdentity reads what AppendIdentity wrote. Its texts are parts of one
// string.
func DecodeIdentity(encoded []byte) (id LinkIdentity, err error) {
	var texts identityTexts
	number, whole := texts.split(encoded)
	if !whole {
		return id, ErrClickRecord
	}
	id.Number = number
	var memory [256]byte
	all, ends := memory[:0], [identityFields]int{}
	for field := range identityFields {
		all = texts[field].append(all, field)
		ends[field] = len(all)
	}
	rest, start := string(all), 0
	for field, text := range id.texts() {
		*text = rest[start:ends[field]]
		start = ends[field]
	}
	return id, nil
}

// identityTexts are the texts of an encoded identity, by IdentityField.
type identityTexts [identityFields]identityText

// An identityText is a text as an encoded identity has it.
type identityText struct {
	encoded []byte
	packed  bool
}

func (t *identityText) append(dst []byte, field IdentityField) []byte {
	if t.packed {
		return appendUnpackedID(dst, identityPrefixes[field], t.encoded)
	}
	return append(dst, t.encoded...)
}

// split finds the texts in an encoded identity, and its number.
func (t *identityTexts) split(encoded []byte) (number uint64, whole bool) {
	r := recordReader{rest: encoded}
	r.identifiers(t[IdentityLink:IdentityCampaign])
	r.identifiers(t[IdentityCampaign:IdentityAdvertiser])
	r.identifiers(t[IdentityAdvertiser:IdentityPlatform])
	t[IdentityPlatform].encoded = r.text()
	t[IdentityCurrency].encoded = r.text()
	number = r.uvarint()
	return number, !r.failed && len(r.rest) == 0
}

// identifiers reads those of a part.
func (r *recordReader) identifiers(ids []identityText) {
	forms := r.byte()
	for i := range ids {
		switch forms & 3 {
		case idEmpty:
		case idPacked:
			ids[i] = identityText{encoded: r.take(packedIDBytes), packed: true}
		case idText:
			ids[i].encoded = r.text()
		default:
			r.fail()
		}
		forms >>= 2
	}
	if r.failed = r.failed || forms != 0; r.failed {
		r.rest = nil
	}
}
