package main

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"testing"
)

// elfHeader is the smallest file of ELF: a header without sections.
func elfHeader(machine elf.Machine) []byte {
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(header[16:], uint16(elf.ET_EXEC))
	binary.LittleEndian.PutUint16(header[18:], uint16(machine))
	binary.LittleEndian.PutUint32(header[20:], 1)
	binary.LittleEndian.PutUint16(header[52:], 64)
	return header
}

func machoHeader(cpu macho.Cpu) []byte {
	header := make([]byte, 32)
	binary.LittleEndian.PutUint32(header, macho.Magic64)
	binary.LittleEndian.PutUint32(header[4:], uint32(cpu))
	return header
}

func peHeader(machine uint16) []byte {
	header := make([]byte, 128)
	copy(header, "MZ")
	binary.LittleEndian.PutUint32(header[0x3c:], 96)
	copy(header[96:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(header[100:], machine)
	return header
}

func TestBuiltFor(t *testing.T) {
	for want, program := range map[platform][]byte{
		{"linux", "amd64"}:   elfHeader(elf.EM_X86_64),
		{"linux", "arm64"}:   elfHeader(elf.EM_AARCH64),
		{"linux", "arm"}:     elfHeader(elf.EM_ARM),
		{"linux", ""}:        elfHeader(elf.EM_MIPS),
		{"darwin", "amd64"}:  machoHeader(macho.CpuAmd64),
		{"darwin", "arm64"}:  machoHeader(macho.CpuArm64),
		{"windows", "amd64"}: peHeader(pe.IMAGE_FILE_MACHINE_AMD64),
		{"windows", "arm64"}: peHeader(pe.IMAGE_FILE_MACHINE_ARM64),
	} {
		if got, err := builtFor(program); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	if _, err := builtFor([]byte("#!/bin/sh\n")); err == nil {
		t.Error("a script is for no platform, and there was no error")
	}
}
