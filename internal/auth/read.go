package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Bounds of a file of credentials: what it takes in memory, and that a name can
// be sent.
const (
	maxFile      = 8 << 20
	maxPrincipal = 255
)

// ReadCredentials reads a file of credentials: {"credentials":[{"principal":"p",
// "secret":"s"}]}, or a principal and its secret on each line. Its errors show
// no secret.
func ReadCredentials(path string) (*Credentials, error) {
	all, err := read(path, func(text []byte) ([]Credential, error) {
		var file struct{ Credentials []Credential }
		err := json.Unmarshal(text, &file)
		return file.Credentials, err
	})
	if err != nil {
		return nil, err
	}
	return NewCredentials(all...), nil
}

// ReadCredential reads a file of one credential: {"principal":"p","secret":"s"},
// or both on a line.
func ReadCredential(path string) (Credential, error) {
	all, err := read(path, func(text []byte) ([]Credential, error) {
		var one Credential
		err := json.Unmarshal(text, &one)
		return []Credential{one}, err
	})
	switch {
	case err != nil:
		return Credential{}, err
	case len(all) != 1:
		return Credential{}, fmt.Errorf("file %s holds %d credentials: give one", path, len(all))
	}
	return all[0], nil
}

var errForm = errors.New("it is neither JSON nor lines of a principal and a secret")

func read(path string, fromJSON func([]byte) ([]Credential, error)) ([]Credential, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var all []Credential
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") {
		if all, err = fromJSON([]byte(trimmed)); err != nil {
			err = errForm // the decoder's own words may quote a secret
		}
	} else {
		all, err = fromLines(text)
	}
	if err == nil {
		err = check(all)
	}
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", path, err)
	}
	return all, nil
}

func readFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("file %s is larger than %d bytes", path, maxFile)
	}
	return string(text), err
}

func fromLines(text string) ([]Credential, error) {
	var all []Credential
	for line := range strings.Lines(text) {
		switch words := strings.Fields(line); len(words) {
		case 0:
		case 2:
			all = append(all, Credential{Principal: words[0], Secret: words[1]})
		default:
			return nil, errForm
		}
	}
	return all, nil
}

// check wants credentials that can be told apart and be sent.
func check(all []Credential) error {
	if len(all) == 0 {
		return errors.New("it holds no credentials")
	}
	seen := make(map[string]bool, len(all))
	for i, c := range all {
		switch {
		case c.Principal == "" || len(c.Principal) > maxPrincipal || strings.ContainsAny(c.Principal, ":\x00\r\n"):
			return fmt.Errorf("credential %d: a principal has 1 to %d characters, without colon and line break", i+1, maxPrincipal)
		case c.Secret == "":
			return fmt.Errorf("credential %d, of %s, has no secret", i+1, c.Principal)
		case seen[c.Principal]:
			return fmt.Errorf("credential %d: %s has one already", i+1, c.Principal)
		}
		seen[c.Principal] = true
	}
	return nil
}
