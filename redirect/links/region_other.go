//go:build unix && !linux

package links

func adviseHugePages([]byte) {}
