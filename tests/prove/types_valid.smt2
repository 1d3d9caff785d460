; SPDX-License-Identifier: MIT
; mtrr_types_valid() of ept/mtrr.c, which decides whether WRMSR takes eight memory types at once, against
; the sentence it stands for: each byte is 0, 1, 4, 5 or 6 (SDM 3A table 12-8). For all 2^64 values.
; tests/prove/smt ties the definition to the C and checks the properties; each must be unsat.
(set-logic QF_BV)

(define-fun ones () (_ BitVec 64) #x0101010101010101)
(define-fun types_valid ((types (_ BitVec 64))) Bool
  (let ((bit0 (bvand types ones))
        (bit1 (bvand (bvlshr types #x0000000000000001) ones))
        (bit2 (bvand (bvlshr types #x0000000000000002) ones)))
    (and (= (bvand types (bvnot (bvmul #x0000000000000007 ones))) #x0000000000000000)
         (= (bvand bit1 (bvor (bvnot bit2) bit0)) #x0000000000000000))))
; ---- properties

(define-fun type_valid ((type (_ BitVec 8))) Bool
  (or (= type #x00) (= type #x01) (= type #x04) (= type #x05) (= type #x06)))
(declare-const v (_ BitVec 64))

(echo "types_valid: true exactly when each of the eight bytes is a type, for all 2^64 values")
(assert (not (= (types_valid v)
                (and (type_valid ((_ extract 7 0) v)) (type_valid ((_ extract 15 8) v))
                     (type_valid ((_ extract 23 16) v)) (type_valid ((_ extract 31 24) v))
                     (type_valid ((_ extract 39 32) v)) (type_valid ((_ extract 47 40) v))
                     (type_valid ((_ extract 55 48) v)) (type_valid ((_ extract 63 56) v))))))
(check-sat)
