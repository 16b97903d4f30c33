-- What is left of a click is what figures are made of. Visitors are not named here: statements are kept.
ALTER TABLE clicks UPDATE
    erased = 1, visitor = 0, network = '', user_agent = '', os_version = '', browser_version = '', language = '', region = '', city = '',
    asn = 0, asn_org = '', sub1 = '', sub2 = '', sub3 = '', sub4 = '', sub5 = '', destination = cutQueryStringAndFragment(destination)
WHERE advertiser_id = ? AND time >= ? AND time <= ? AND click_id IN ?
SETTINGS mutations_sync = 2
