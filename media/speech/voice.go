package speech

import (
	"slices"
	"strconv"
	"strings"
)

// defaultLanguage is spoken when none is asked for, or none that is known.
const defaultLanguage = "en-us"

// Resolve gives the espeak-ng voice ("en-us+f3") for a voice name and a language
// of the call APIs. Known is false when either was given but is not known; the
// voice is then the nearest there is: the default woman, US English.
//
//	man, woman, alice         that kind of voice in language
//	Polly.Hans[-Neural]       a man in German; language only picks the region
//	Google.en-GB-Wavenet-A    the language in the name
//	de+m2, a language tag     espeak-ng's own names
//
// Names are compared without case, and the vendor's prefix may be left out.
func Resolve(voice, language string) (name string, known bool) {
	who, ok := lookUp(voice)
	lang, langKnown := defaultLanguage, true
	switch {
	case who.language == "" && language != "":
		lang, langKnown = espeakLanguage(language)
	case who.language != "":
		lang, langKnown = espeakLanguage(who.language)
		if primary(language) == primary(who.language) {
			lang, langKnown = espeakLanguage(language)
		}
	}
	return lang + "+" + who.variant, ok && langKnown
}

// person is what a voice name says.
type person struct {
	language string // BCP 47, empty when the name does not say
	variant  string // of espeak-ng: m1…m8, f1…f5
}

// lookUp finds a voice name. The empty name is known: the default.
func lookUp(voice string) (person, bool) {
	name := fold(voice)
	for _, vendor := range []string{"polly.", "google.", "amazon.", "basic."} {
		name = strings.TrimPrefix(name, vendor)
	}
	switch name {
	case "", "woman", "female", "default":
		return person{variant: "f3"}, true
	case "man", "male":
		return person{variant: "m3"}, true
	case "alice":
		return person{variant: "f2"}, true
	}
	if lang, variant, ok := strings.Cut(name, "+"); ok {
		if _, known := espeakLanguage(lang); known && isVariant(variant) {
			return person{lang, variant}, true
		}
		return person{variant: "f3"}, false
	}
	base := name
	for _, engine := range []string{"-neural", "-generative", "-long-form"} {
		base = strings.TrimSuffix(base, engine)
	}
	if p, ok := named(base); ok {
		return p, true
	}
	return tagged(name)
}

// named finds a voice of the Polly table.
func named(name string) (person, bool) {
	for _, row := range polly {
		if has(row.women, name) {
			return person{row.language, "f" + spread(name)}, true
		}
		if has(row.men, name) {
			return person{row.language, "m" + spread(name)}, true
		}
	}
	return person{}, false
}

// tagged finds a name that begins with its language: "en-gb-wavenet-a", "de".
func tagged(name string) (person, bool) {
	parts := strings.SplitN(name, "-", 3)
	lang := parts[0]
	if len(parts) > 1 {
		lang += "-" + parts[1]
	}
	if _, ok := espeakLanguage(lang); !ok {
		return person{variant: "f3"}, false
	}
	return person{lang, "f" + spread(name)}, true
}

// spread gives names that differ voices that may differ: "1" to "4".
func spread(name string) string {
	sum := 0
	for _, b := range []byte(name) {
		sum += int(b)
	}
	return strconv.Itoa(sum%4 + 1)
}

// isVariant reports whether v is one of the plain variants of espeak-ng.
func isVariant(v string) bool {
	return len(v) == 2 && (v[0] == 'm' && v[1] >= '1' && v[1] <= '8' || v[0] == 'f' && v[1] >= '1' && v[1] <= '5')
}

// has reports whether a list written with spaces holds the word w.
func has(list, w string) bool { return slices.Contains(strings.Fields(list), w) }

// fold makes a voice name lower case and takes the accents off that Polly's
// names have.
func fold(name string) string { return accents.Replace(strings.ToLower(strings.TrimSpace(name))) }

var accents = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "ó", "o", "í", "i", "á", "a", "ü", "u")

// primary is the first part of a language tag, lower case; empty of an empty one.
func primary(language string) string {
	p, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(language, "_", "-")), "-")
	return p
}

// espeakLanguage gives espeak-ng's name for a language tag: the region's own
// where there is one, else that of the language.
func espeakLanguage(language string) (string, bool) {
	l := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(language), "_", "-"))
	if name, ok := regions[l]; ok {
		return name, true
	}
	p := primary(l)
	if name, ok := regions[p]; ok {
		return name, true
	}
	if has(languages, p) {
		return p, true
	}
	return defaultLanguage, false
}

// languages are the names that espeak-ng 1.51 and BCP 47 share.
const languages = `af am an ar as az ba be bg bn bs ca cs cv cy da de el eo es et eu fa fi ga gd gn gu he
hi hr ht hu hy ia id io is it ja ka kk kl kn ko kok ku ky la lb lt lv mi mk ml mr ms mt my nb ne nl om or pa pap pl
pt ro ru sd shn si sk sl smj sq sr sv sw ta te th tk tn tr tt ug uk ur uz vi`

// regions are the tags whose espeak-ng name differs from the language's.
var regions = map[string]string{
	"en": "en-us", "en-us": "en-us", "en-ca": "en-us", "en-gb": "en-gb", "en-au": "en-gb", "en-nz": "en-gb",
	"en-in": "en-gb", "en-ie": "en-gb", "en-za": "en-gb", "en-sg": "en-gb", "en-gb-wls": "en-gb",
	"en-gb-scotland": "en-gb-scotland", "en-029": "en-029",
	"es": "es", "es-es": "es", "es-mx": "es-419", "es-us": "es-419", "es-419": "es-419", "es-ar": "es-419",
	"es-co": "es-419", "es-cl": "es-419", "es-pe": "es-419",
	"fr": "fr-fr", "fr-be": "fr-be", "fr-ch": "fr-ch",
	"pt-br": "pt-br",
	"zh":    "cmn", "cmn": "cmn", "zh-hk": "yue", "yue": "yue",
	"no": "nb", "nn": "nb", "arb": "ar", "iw": "he", "in": "id",
	"vi-vn": "vi",
}

// polly lists Amazon Polly's voices by language and sex, folded.
var polly = []struct{ language, women, men string }{
	{"ar", "zeina hala", "zayd"},
	{"ca-ES", "arlet", ""},
	{"cmn-CN", "zhiyu", ""},
	{"cs-CZ", "jitka", ""},
	{"cy-GB", "gwyneth", ""},
	{"da-DK", "naja sofie", "mads"},
	{"de-AT", "hannah", ""},
	{"de-CH", "sabrina", ""},
	{"de-DE", "marlene vicki", "hans daniel"},
	{"en-AU", "nicole olivia", "russell"},
	{"en-GB", "amy emma", "brian arthur"},
	{"en-GB-WLS", "", "geraint"},
	{"en-IE", "niamh", ""},
	{"en-IN", "raveena", ""},
	{"en-NZ", "aria", ""},
	{"en-SG", "jasmine", ""},
	{"en-US", "danielle ivy joanna kendra kimberly salli ruth", "gregory joey justin kevin matthew stephen patrick"},
	{"en-ZA", "ayanda", ""},
	{"es-ES", "conchita lucia alba", "enrique sergio raul"},
	{"es-MX", "mia", "andres"},
	{"es-US", "lupe penelope", "miguel pedro"},
	{"fi-FI", "suvi", ""},
	{"fr-BE", "isabelle", ""},
	{"fr-CA", "chantal gabrielle", "liam"},
	{"fr-FR", "celine lea", "mathieu remi"},
	{"hi-IN", "aditi kajal", ""},
	{"is-IS", "dora", "karl"},
	{"it-IT", "carla bianca", "giorgio adriano"},
	{"ja-JP", "mizuki kazuha tomoko", "takumi"},
	{"ko-KR", "seoyeon jihye", ""},
	{"nb-NO", "liv ida", ""},
	{"nl-BE", "lisa", ""},
	{"nl-NL", "laura lotte", "ruben"},
	{"pl-PL", "ewa maja ola", "jacek jan"},
	{"pt-BR", "camila vitoria", "ricardo thiago"},
	{"pt-PT", "ines", "cristiano"},
	{"ro-RO", "carmen", ""},
	{"ru-RU", "tatyana", "maxim"},
	{"sv-SE", "astrid elin", ""},
	{"tr-TR", "filiz burcu", ""},
	{"yue-CN", "hiujin", ""},
}
