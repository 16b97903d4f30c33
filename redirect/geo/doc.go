// Package geo says where on the internet an address is: country, region, city
// and network (ASN), from MaxMind-format databases on disk.
//
// It promises that a look-up touches memory only, does not allocate once a place
// was seen, never blocks on a reload, and that databases replaced
// on disk, or other ones, are taken up without a request noticing, or not at all
// while one of them cannot be used. It knows databases
// laid out as GeoIP2/GeoLite2 and the flat ones of ip-location-db.
package geo
