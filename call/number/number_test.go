package number

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw, country       string
		e164, local, owner string
		kind               Kind
	}{
		// With plus, from anywhere.
		{"+14155550100", "US", "+14155550100", "14155550100", "US", E164},
		{"+14155550100", "GB", "+14155550100", "0014155550100", "US", E164},
		{"+14155550100", "", "+14155550100", "+14155550100", "US", E164},
		{" +1 (415) 555-0100 ", "DE", "+14155550100", "0014155550100", "US", E164},
		{"tel:+1-415-555-0100;ext=7", "US", "+14155550100", "14155550100", "US", E164},
		{"+44 (0)20 7946 0018", "US", "+442079460018", "011442079460018", "GB", E164},
		{"+4402079460018", "GB", "+442079460018", "02079460018", "GB", E164},
		{"+390612345678", "IT", "+390612345678", "0612345678", "IT", E164},
		{"+999123456789", "GB", "+999123456789", "00999123456789", "", E164}, // a code outside the table
		// National.
		{"4155550100", "US", "+14155550100", "14155550100", "US", E164},
		{"14155550100", "US", "+14155550100", "14155550100", "US", E164},
		{"14165550100", "CA", "+14165550100", "14165550100", "CA", E164},
		{"020 7946 0018", "GB", "+442079460018", "02079460018", "GB", E164},
		{"020 7946 0018", "uk", "+442079460018", "02079460018", "GB", E164},
		{"07700 900123", "GB", "+447700900123", "07700900123", "GB", E164},
		{"0800 1111", "GB", "+448001111", "08001111", "GB", E164},
		{"030 23125 000", "DE", "+493023125000", "03023125000", "DE", E164},
		{"01 99 00 12 34", "FR", "+33199001234", "0199001234", "FR", E164},
		{"098765 43210", "IN", "+919876543210", "09876543210", "IN", E164},
		{"98765 43210", "IN", "+919876543210", "09876543210", "IN", E164},
		{"11 5555-0100", "BR", "+551155550100", "01155550100", "BR", E164},
		{"011 95555-0100", "BR", "+5511955550100", "011955550100", "BR", E164},
		{"015 11 95555-0100", "BR", "+5511955550100", "011955550100", "BR", E164}, // carrier 15
		{"(02) 5550 1234", "AU", "+61255501234", "0255501234", "AU", E164},
		{"0491 570 156", "AU", "+61491570156", "0491570156", "AU", E164},
		{"082 555 0100", "ZA", "+27825550100", "0825550100", "ZA", E164},
		{"03-5550-0100", "JP", "+81355500100", "0355500100", "JP", E164},
		{"090-5555-0100", "JP", "+819055550100", "09055550100", "JP", E164},
		{"912 345 678", "PT", "+351912345678", "912345678", "PT", E164},
		// International prefix.
		{"011 44 20 7946 0018", "US", "+442079460018", "011442079460018", "GB", E164},
		{"00 1 415 555 0100", "GB", "+14155550100", "0014155550100", "US", E164},
		{"0011 1 415 555 0100", "AU", "+14155550100", "001114155550100", "US", E164},
		{"010 1 415 555 0100", "JP", "+14155550100", "01014155550100", "US", E164},
		{"00 15 1 415 555 0100", "BR", "+14155550100", "+14155550100", "US", E164},
		// Emergency.
		{"911", "US", "", "911", "US", EmergencyService},
		{"9-1-1", "US", "", "911", "US", EmergencyService},
		{"999", "GB", "", "999", "GB", EmergencyService},
		{"112", "GB", "", "112", "GB", EmergencyService},
		{"110", "DE", "", "110", "DE", EmergencyService},
		{"15", "FR", "", "15", "FR", EmergencyService},
		{"112", "IN", "", "112", "IN", EmergencyService},
		{"190", "BR", "", "190", "BR", EmergencyService},
		{"000", "AU", "", "000", "AU", EmergencyService},
		{"10111", "ZA", "", "10111", "ZA", EmergencyService},
		{"119", "JP", "", "119", "JP", EmergencyService},
		{"112", "", "", "112", "", EmergencyService},
		// Neither.
		{"201", "US", "", "201", "US", Short},
		{"999", "US", "", "999", "US", Short},
		{"5550100", "US", "", "5550100", "US", Local},
		{"2079460018", "GB", "", "2079460018", "GB", Local},
		{"1234567", "", "", "1234567", "", Local},
		{"011 44 20", "US", "", "0114420", "US", Local}, // too short to be foreign
		{"*67", "US", "", "*67", "US", Feature},
		{"*21*2015550100#", "US", "", "*21*2015550100#", "US", Feature},
		{"#31#", "DE", "", "#31#", "DE", Feature},
	}
	for _, tt := range tests {
		n, err := Parse(tt.raw, tt.country)
		if err != nil {
			t.Errorf("Parse(%q, %s): %v", tt.raw, tt.country, err)
			continue
		}
		if n.E164 != tt.e164 || n.Local != tt.local || n.Kind != tt.kind || n.Country != tt.owner {
			t.Errorf("Parse(%q, %s) = %+v (%s), want %q %q %s %s", tt.raw, tt.country, n, n.Kind, tt.e164, tt.local, tt.kind, tt.owner)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw, country string
		want         error
	}{
		{"", "US", ErrEmpty},
		{" - ", "US", ErrEmpty},
		{"+", "US", ErrEmpty},
		{"alice", "US", ErrSyntax},
		{"+1415555010x", "US", ErrSyntax},
		{"1+4155550100", "US", ErrSyntax},
		{"++14155550100", "US", ErrSyntax},
		{"+1*67", "US", ErrSyntax},
		{"+0123456789", "US", ErrSyntax},
		{"٠١٢٣٤٥٦", "US", ErrSyntax}, // digits of another script
		{"+123", "US", ErrLength},
		{"+1234567890123456", "US", ErrLength},
		{"+1415555", "US", ErrLength},
		{"+14155550", "US", ErrLength},
		{"+11115550100", "US", ErrLength}, // no area code starts with 1
		{strings.Repeat("1", 40), "US", ErrLength},
		{strings.Repeat("1", 20), "US", ErrLength},
		{strings.Repeat(" ", 100), "US", ErrLength},
	}
	for _, tt := range tests {
		n, err := Parse(tt.raw, tt.country)
		if !errors.Is(err, tt.want) {
			t.Errorf("Parse(%q, %s) = %+v, %v, want %v", tt.raw, tt.country, n, err, tt.want)
		}
	}
}

// A number read from its own E.164 or local form is the same number.
func TestParseIsStable(t *testing.T) {
	t.Parallel()
	for _, iso := range Countries() {
		c, _ := Lookup(iso)
		nsn := strings.Repeat("5", c.Max)
		if c.Max+len(c.Code) > maxE164 {
			nsn = nsn[:maxE164-len(c.Code)]
		}
		n, err := Parse("+"+c.Code+nsn, iso)
		if err != nil {
			t.Errorf("%s: %v", iso, err)
			continue
		}
		for _, form := range []string{n.Local, n.E164, n.Format(iso), n.Format("")} {
			again, err := Parse(form, iso)
			if err != nil || again.E164 != n.E164 || again.Local != n.Local {
				t.Errorf("%s: %q gives %+v, %v, want %+v", iso, form, again, err, n)
			}
		}
	}
}

func TestCountries(t *testing.T) {
	t.Parallel()
	for _, iso := range []string{"US", "GB", "DE", "FR", "IN", "BR", "AU", "ZA", "JP"} {
		if _, ok := Lookup(iso); !ok {
			t.Errorf("%s is missing", iso)
		}
	}
	for i, a := range countries {
		if len(a.ISO) != 2 || a.Code == "" || a.Min < 1 || a.Min > a.Max || a.International == "" || len(a.Emergency) == 0 || len(a.groups) == 0 {
			t.Errorf("%s is not complete", a.ISO)
		}
		for _, b := range countries[i+1:] {
			if a.ISO == b.ISO {
				t.Errorf("%s is there twice", a.ISO)
			}
			// byCode relies on this.
			if a.Code != b.Code && (strings.HasPrefix(a.Code, b.Code) || strings.HasPrefix(b.Code, a.Code)) {
				t.Errorf("codes %s and %s of %s and %s overlap", a.Code, b.Code, a.ISO, b.ISO)
			}
		}
	}
	if _, ok := Lookup("XX"); ok {
		t.Error("XX is known")
	}
	e := Emergency("GB")
	e[0] = "changed"
	if Emergency("GB")[0] != "999" {
		t.Error("the table can be changed from outside")
	}
	if !IsEmergency("9 9 9", "GB") || IsEmergency("999", "US") || IsEmergency("x", "US") || !IsEmergency("911", "XX") {
		t.Error("IsEmergency is wrong")
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	tests := []struct{ raw, country, seenFrom, want string }{
		{"+14155550100", "US", "US", "(415) 555-0100"},
		{"+14155550100", "US", "GB", "+1 415-555-0100"},
		{"+442079460018", "GB", "GB", "020 7946 0018"},
		{"+442079460018", "GB", "US", "+44 20 7946 0018"},
		{"+447700900123", "GB", "GB", "07700 900123"},
		{"+33199001234", "FR", "FR", "01 99 00 12 34"},
		{"+33199001234", "FR", "US", "+33 1 99 00 12 34"},
		{"+919876543210", "IN", "IN", "098765 43210"},
		{"+61491570156", "AU", "AU", "0491 570 156"},
		{"+5511955550100", "BR", "US", "+55 11 95555 0100"},
		{"+999123456789", "US", "US", "+999123456789"},
		{"911", "US", "US", "911"},
		{"201", "US", "US", "201"},
	}
	for _, tt := range tests {
		n, err := Parse(tt.raw, tt.country)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Format(tt.seenFrom); got != tt.want {
			t.Errorf("%s seen from %s is %q, want %q", tt.raw, tt.seenFrom, got, tt.want)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"+14155550100", "+1415555••••"},
		{"415-555-0100", "415-555-••••"},
		{"tel:+14155550100", "tel:+1415555••••"},
		{"sip:+14155550100@biloxi.example", "sip:+1415555••••@biloxi.example"},
		{"sip:14155550100:secret@biloxi.example?X-Key=1", "sip:1415555••••@biloxi.example"},
		{"sip:alice@biloxi.example", "sip:alice@biloxi.example"},
		{"client:bob", "client:bob"},
		{"911", "911"},
		{"201", "201"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := Mask(tt.in); got != tt.want {
			t.Errorf("Mask(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	if E164.String() != "e164" || Feature.String() != "feature" || Kind(9).String() != "kind(9)" {
		t.Error("Kind.String")
	}
	if Phone.String() != "phone" || Client.String() != "client" || AddressKind(9).String() != "address(9)" {
		t.Error("AddressKind.String")
	}
	if (Number{Dialled: "201"}).String() != "201" || (Number{Dialled: "1", E164: "+1"}).String() != "+1" {
		t.Error("Number.String")
	}
}
