#!/bin/sh
# The same with ansible-core and community.crypto: privatekey, csr_pipe and x509_certificate for each leaf.
# usage: ansible_playbook.sh DIRECTORY LEAVES
set -eu
mkdir -p "$1"
cat > "$1/playbook.yml" <<PLAYBOOK
- hosts: localhost
  gather_facts: false
  connection: local
  # the interpreter that runs Ansible has the libraries that its modules need
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - community.crypto.openssl_privatekey: {path: "$1/ca.key", type: ECC, curve: secp256r1}
    - community.crypto.openssl_csr_pipe:
        privatekey_path: "$1/ca.key"
        common_name: Bench Issuing
        basic_constraints: ["CA:TRUE"]
        basic_constraints_critical: true
      register: ca
    - community.crypto.x509_certificate:
        path: "$1/ca.pem"
        csr_content: "{{ ca.csr }}"
        privatekey_path: "$1/ca.key"
        provider: selfsigned
    - community.crypto.openssl_privatekey: {path: "$1/node-{{ item }}.key", type: ECC, curve: secp256r1}
      loop: "{{ range(1, $2 + 1) | list }}"
    - community.crypto.openssl_csr:
        path: "$1/node-{{ item }}.csr"
        privatekey_path: "$1/node-{{ item }}.key"
        common_name: "node-{{ item }}.bench.example"
        subject_alt_name: "DNS:node-{{ item }}.bench.example"
      loop: "{{ range(1, $2 + 1) | list }}"
    - community.crypto.x509_certificate:
        path: "$1/node-{{ item }}.pem"
        csr_path: "$1/node-{{ item }}.csr"
        provider: ownca
        ownca_path: "$1/ca.pem"
        ownca_privatekey_path: "$1/ca.key"
      loop: "{{ range(1, $2 + 1) | list }}"
PLAYBOOK
exec ansible-playbook "$1/playbook.yml"
