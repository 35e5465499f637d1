package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// Amtool is what amtool's configuration file says of the server. Its other keys are amtool's business.
type Amtool struct {
	URL        string `yaml:"alertmanager.url"`
	HTTPConfig string `yaml:"http.config.file"` // a path, relative to the file
}

// ReadAmtool reads amtool's configuration file. One that is not there says nothing.
func ReadAmtool(path string) (Amtool, error) {
	var file Amtool
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	if err != nil {
		return file, fmt.Errorf("read amtool's configuration: %w", err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return file, fmt.Errorf("read amtool's configuration: %s: %w", path, err)
	}
	if file.HTTPConfig != "" && !filepath.IsAbs(file.HTTPConfig) {
		file.HTTPConfig = filepath.Join(filepath.Dir(path), file.HTTPConfig)
	}
	return file, nil
}
