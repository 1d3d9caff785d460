; SPDX-License-Identifier: MIT
; variable_match() of ept/mtrr.c: does a variable range hold an address, and up to where can the
; answer not change? For all widths 32 to 52, all bases, masks and addresses. tests/prove/smt ties
; the definitions to the C and checks the properties; each must be unsat.
(set-logic QF_BV)

(define-fun page_mask () (_ BitVec 64) #xfffffffffffff000)
(define-fun whole ((mask (_ BitVec 64)) (width (_ BitVec 64))) (_ BitVec 64)
  (bvor (bvand mask page_mask) (bvshl #xffffffffffffffff width)))
(define-fun matches ((base (_ BitVec 64)) (m (_ BitVec 64)) (gpa (_ BitVec 64))) Bool
  (= (bvand (bvxor gpa (bvand base m)) m) #x0000000000000000))
(define-fun smaller ((a (_ BitVec 64)) (b (_ BitVec 64))) (_ BitVec 64) (ite (bvult a b) a b))
(define-fun border ((base (_ BitVec 64)) (m (_ BitVec 64)) (gpa (_ BitVec 64))
                    (next (_ BitVec 64))) (_ BitVec 64)
  (let ((size (bvand m (bvneg m)))
        (contiguous (= (bvand (bvnot m) (bvadd (bvnot m) #x0000000000000001)) #x0000000000000000)))
    (ite (or (matches base m gpa) (not contiguous))
         (smaller next (bvadd (bvand gpa (bvnot (bvsub size #x0000000000000001))) size))
         (ite (bvult gpa (bvand base m)) (smaller next (bvand base m)) next))))
(define-fun match_of ((base (_ BitVec 64)) (mask (_ BitVec 64)) (width (_ BitVec 64))
                      (gpa (_ BitVec 64))) Bool
  (matches base (whole mask width) gpa))
(define-fun next_of ((base (_ BitVec 64)) (mask (_ BitVec 64)) (width (_ BitVec 64))
                     (gpa (_ BitVec 64)) (next (_ BitVec 64))) (_ BitVec 64)
  (border base (whole mask width) gpa next))
; ---- properties

(declare-const width (_ BitVec 64))
(declare-const base (_ BitVec 64))
(declare-const mask (_ BitVec 64))
(declare-const gpa (_ BitVec 64))
(declare-const later (_ BitVec 64))
(declare-const next (_ BitVec 64))
; What ept/ stores and asks: a width of 32 to 52, registers without bits at or above it (the mask's
; V and the base's type are ignored by the code), any page up to 2^52.
(define-fun address () (_ BitVec 64)
  (bvand page_mask (bvsub (bvshl #x0000000000000001 width) #x0000000000000001)))
(assert (and (bvuge width #x0000000000000020) (bvule width #x0000000000000034)))
(assert (= (bvand mask (bvnot (bvor address #x0000000000000800))) #x0000000000000000))
(assert (= (bvand base (bvnot (bvor address #x00000000000000ff))) #x0000000000000000))
(assert (bvult gpa #x0010000000000000))

(push)
(echo "variable_match: true exactly where the SDM says, and nowhere at or above 2^width")
(assert (not (= (match_of base mask width gpa)
                (and (= (bvlshr gpa width) #x0000000000000000)
                     (= (bvand gpa mask address) (bvand base mask address))))))
(check-sat)
(pop)
(push)
(echo "variable_match: from an address up to 'next' the answer is the same")
(assert (bvule gpa later))
(assert (bvult later (next_of base mask width gpa next)))
(assert (not (= (match_of base mask width gpa) (match_of base mask width later))))
(check-sat)
(pop)
(push)
(echo "variable_match: 'next' only gets lower and stays beyond the address, so a walk ends")
(assert (bvult gpa next))
(assert (not (and (bvult gpa (next_of base mask width gpa next))
                  (bvule (next_of base mask width gpa next) next))))
(check-sat)
(pop)
