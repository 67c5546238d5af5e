package number

import (
	"slices"
	"strings"
)

// Country is how telephone numbers are written and dialled in one country.
// Values are shared: do not change the slices.
type Country struct {
	ISO  string // ISO 3166-1 alpha-2, upper case ("GB")
	Name string
	Code string // country calling code without plus ("44"), ITU-T E.164 Annex
	// Trunk is dialled before a national number ("0"); empty when there is none.
	Trunk string
	// TrunkOptional: national numbers are understood without Trunk too.
	TrunkOptional bool
	// International is dialled before a foreign number ("00", "011").
	International string
	// Carrier is the number of digits of the carrier selection code that follows
	// International, and may follow Trunk (Brazil: 2).
	Carrier int
	// Min and Max are the lengths of a national number without Trunk, in digits.
	Min, Max int
	// Emergency are the emergency numbers, the most general one first.
	Emergency []string

	groups []grouping
}

// grouping says how national numbers that start with a prefix are cut in groups
// for display; digits beyond the groups join the last one.
type grouping struct {
	prefix string
	sizes  []int
}

// Sources: ITU-T E.164 national numbering plans as published by each regulator
// (Operational Bulletin annexes); emergency numbers from the same plans. Only
// numbers that reach an emergency service by voice are listed.
var countries = []Country{
	{ISO: "US", Name: "United States", Code: "1", Trunk: "1", TrunkOptional: true, International: "011", Min: 10, Max: 10,
		Emergency: []string{"911"}, groups: []grouping{{"", []int{3, 3, 4}}}},
	{ISO: "CA", Name: "Canada", Code: "1", Trunk: "1", TrunkOptional: true, International: "011", Min: 10, Max: 10,
		Emergency: []string{"911"}, groups: []grouping{{"", []int{3, 3, 4}}}},
	{ISO: "GB", Name: "United Kingdom", Code: "44", Trunk: "0", International: "00", Min: 7, Max: 10,
		Emergency: []string{"999", "112"},
		groups:    []grouping{{"2", []int{2, 4, 4}}, {"3", []int{3, 3, 4}}, {"8", []int{3, 3, 4}}, {"9", []int{3, 3, 4}}, {"11", []int{3, 3, 4}}, {"", []int{4, 6}}}},
	{ISO: "DE", Name: "Germany", Code: "49", Trunk: "0", International: "00", Min: 5, Max: 13,
		Emergency: []string{"112", "110"},
		groups:    []grouping{{"30", []int{2, 11}}, {"40", []int{2, 11}}, {"69", []int{2, 11}}, {"89", []int{2, 11}}, {"", []int{3, 10}}}},
	{ISO: "FR", Name: "France", Code: "33", Trunk: "0", International: "00", Min: 9, Max: 9,
		Emergency: []string{"112", "15", "17", "18", "191", "196", "197"}, groups: []grouping{{"", []int{1, 2, 2, 2, 2}}}},
	{ISO: "IN", Name: "India", Code: "91", Trunk: "0", TrunkOptional: true, International: "00", Min: 10, Max: 10,
		Emergency: []string{"112", "100", "101", "102", "108"}, groups: []grouping{{"", []int{5, 5}}}},
	{ISO: "BR", Name: "Brazil", Code: "55", Trunk: "0", TrunkOptional: true, International: "00", Carrier: 2, Min: 10, Max: 11,
		Emergency: []string{"190", "192", "193", "112", "911"}, groups: []grouping{{"", []int{2, 5, 4}}}},
	{ISO: "AU", Name: "Australia", Code: "61", Trunk: "0", International: "0011", Min: 9, Max: 9,
		Emergency: []string{"000", "112"}, groups: []grouping{{"4", []int{3, 3, 3}}, {"", []int{1, 4, 4}}}},
	{ISO: "ZA", Name: "South Africa", Code: "27", Trunk: "0", International: "00", Min: 9, Max: 9,
		Emergency: []string{"112", "10111", "10177"}, groups: []grouping{{"", []int{2, 3, 4}}}},
	{ISO: "JP", Name: "Japan", Code: "81", Trunk: "0", International: "010", Min: 9, Max: 10,
		Emergency: []string{"119", "110", "118"},
		groups:    []grouping{{"3", []int{1, 4, 4}}, {"6", []int{1, 4, 4}}, {"70", []int{2, 4, 4}}, {"80", []int{2, 4, 4}}, {"90", []int{2, 4, 4}}, {"", []int{2, 3, 4}}}},
	{ISO: "AT", Name: "Austria", Code: "43", Trunk: "0", International: "00", Min: 4, Max: 13,
		Emergency: []string{"112", "133", "122", "144", "140"}, groups: []grouping{{"1", []int{1, 12}}, {"", []int{3, 10}}}},
	{ISO: "BE", Name: "Belgium", Code: "32", Trunk: "0", International: "00", Min: 8, Max: 9,
		Emergency: []string{"112", "101", "100"}, groups: []grouping{{"4", []int{3, 2, 2, 2}}, {"2", []int{1, 3, 2, 2}}, {"", []int{2, 2, 2, 2}}}},
	{ISO: "CH", Name: "Switzerland", Code: "41", Trunk: "0", International: "00", Min: 9, Max: 9,
		Emergency: []string{"112", "117", "118", "144"}, groups: []grouping{{"", []int{2, 3, 2, 2}}}},
	{ISO: "ES", Name: "Spain", Code: "34", International: "00", Min: 9, Max: 9,
		Emergency: []string{"112", "091", "092", "062", "061", "080"}, groups: []grouping{{"", []int{3, 3, 3}}}},
	{ISO: "IE", Name: "Ireland", Code: "353", Trunk: "0", International: "00", Min: 7, Max: 9,
		Emergency: []string{"112", "999"}, groups: []grouping{{"1", []int{1, 3, 4}}, {"", []int{2, 3, 4}}}},
	// Italy dials and writes the leading zero everywhere: it is part of the number.
	{ISO: "IT", Name: "Italy", Code: "39", International: "00", Min: 6, Max: 12,
		Emergency: []string{"112", "113", "115", "118"}, groups: []grouping{{"3", []int{3, 3, 4}}, {"02", []int{2, 8}}, {"06", []int{2, 8}}, {"", []int{3, 9}}}},
	{ISO: "MX", Name: "Mexico", Code: "52", International: "00", Min: 10, Max: 10,
		Emergency: []string{"911"}, groups: []grouping{{"", []int{2, 4, 4}}}},
	{ISO: "NL", Name: "Netherlands", Code: "31", Trunk: "0", International: "00", Min: 7, Max: 11,
		Emergency: []string{"112"}, groups: []grouping{{"6", []int{1, 8}}, {"", []int{2, 3, 4}}}},
	{ISO: "NZ", Name: "New Zealand", Code: "64", Trunk: "0", International: "00", Min: 8, Max: 10,
		Emergency: []string{"111", "112"}, groups: []grouping{{"2", []int{2, 3, 5}}, {"", []int{1, 3, 4}}}},
	{ISO: "PL", Name: "Poland", Code: "48", International: "00", Min: 9, Max: 9,
		Emergency: []string{"112", "997", "998", "999"}, groups: []grouping{{"", []int{3, 3, 3}}}},
	{ISO: "PT", Name: "Portugal", Code: "351", International: "00", Min: 9, Max: 9,
		Emergency: []string{"112"}, groups: []grouping{{"", []int{3, 3, 3}}}},
	{ISO: "SE", Name: "Sweden", Code: "46", Trunk: "0", International: "00", Min: 7, Max: 10,
		Emergency: []string{"112"}, groups: []grouping{{"8", []int{1, 3, 3, 2}}, {"", []int{2, 3, 2, 2}}}},
	{ISO: "SG", Name: "Singapore", Code: "65", International: "00", Min: 8, Max: 8,
		Emergency: []string{"999", "995", "112"}, groups: []grouping{{"", []int{4, 4}}}},
}

// unknownEmergency is used where the country is not known: every GSM phone
// treats these two as emergency calls (3GPP TS 22.101 §10.1.1).
var unknownEmergency = []string{"112", "911"}

// Lookup gives the country with the ISO 3166-1 alpha-2 code iso, in any case;
// "UK" is understood as GB.
func Lookup(iso string) (Country, bool) {
	iso = strings.ToUpper(strings.TrimSpace(iso))
	if iso == "UK" {
		iso = "GB"
	}
	for _, c := range countries {
		if c.ISO == iso {
			return c, true
		}
	}
	return Country{}, false
}

// Countries lists the ISO codes that [Lookup] knows, sorted.
func Countries() []string {
	out := make([]string, 0, len(countries))
	for _, c := range countries {
		out = append(out, c.ISO)
	}
	slices.Sort(out)
	return out
}

// Emergency gives the emergency numbers of a country; for an unknown one those
// that every GSM phone knows. The slice is the caller's.
func Emergency(iso string) []string {
	if c, ok := Lookup(iso); ok {
		return slices.Clone(c.Emergency)
	}
	return slices.Clone(unknownEmergency)
}

// IsEmergency reports whether digits, as dialled, call an emergency service in
// the country.
func IsEmergency(digits, iso string) bool {
	d, err := clean(digits)
	if err != nil {
		return false
	}
	if c, ok := Lookup(iso); ok {
		return slices.Contains(c.Emergency, d)
	}
	return slices.Contains(unknownEmergency, d)
}

// byCode finds the country whose calling code starts the E.164 digits (without
// plus), preferring home when several share the code.
func byCode(digits string, home Country) (Country, bool) {
	if home.Code != "" && strings.HasPrefix(digits, home.Code) {
		return home, true
	}
	for _, c := range countries { // no code here is the prefix of another
		if strings.HasPrefix(digits, c.Code) {
			return c, true
		}
	}
	return Country{}, false
}

// national reports whether d has the length of a national number without trunk
// prefix, and its first digits are possible.
func (c Country) national(d string) bool {
	if len(d) < c.Min || len(d) > c.Max {
		return false
	}
	if c.Code == "1" { // NANP: NXX NXX XXXX, N is 2…9
		return d[0] >= '2' && d[3] >= '2'
	}
	return c.Trunk != "0" || d[0] != '0'
}
