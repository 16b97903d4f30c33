// Package geo says where on the internet an address is: country, region, city
// and network (ASN), from MaxMind-format databases on disk.
//
// It promises that a look-up touches memory only, does not allocate once a place
// was seen, never blocks on a reload, and that a database replaced
// on disk is taken up by Reload without a request noticing. It knows databases
// laid out as GeoIP2/GeoLite2 and the flat ones of ip-location-db.
package geo
