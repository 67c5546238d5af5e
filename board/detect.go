package board

import (
	"io/fs"
	"slices"
	"strings"
)

// compatiblePaths and modelPaths are where Linux shows the device tree.
func compatiblePaths() []string {
	return []string{"proc/device-tree/compatible", "sys/firmware/devicetree/base/compatible"}
}

func modelPaths() []string {
	return []string{"proc/device-tree/model", "sys/firmware/devicetree/base/model"}
}

// Detect finds the board of the machine whose file tree is root, among own and the
// built-in ones, and the name that the machine gives itself ("Raspberry Pi 4 Model B
// Rev 1.4"; empty when it gives none). Of several boards that fit, the one that says
// it most exactly is taken. A machine that is no known board is Sim.
func Detect(root fs.FS, own ...Profile) (name, model string) {
	model = strings.Join(strs(root, modelPaths()), " ")
	compatible := strs(root, compatiblePaths())
	name, best := Sim, 0
	for _, p := range append(slices.Clone(own), Profiles()...) {
		for _, want := range p.Compatible {
			for _, c := range compatible {
				if strings.HasPrefix(c, want) && len(want) > best {
					name, best = p.Name, len(want)
				}
			}
		}
	}
	return name, model
}

// strs reads the NUL-terminated strings of the first of paths that is there.
func strs(root fs.FS, paths []string) []string {
	for _, path := range paths {
		b, err := fs.ReadFile(root, path)
		if err != nil {
			continue
		}
		return strings.FieldsFunc(string(b), func(r rune) bool { return r == 0 || r == '\n' })
	}
	return nil
}
