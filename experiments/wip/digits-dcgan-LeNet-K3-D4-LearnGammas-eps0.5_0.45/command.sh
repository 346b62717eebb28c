#!/bin/sh
geomgan train-warps digits-dcgan --num-support-sets 3 --num-support-dipoles 4 --no-learn-alphas --learn-gammas --support-set-lr 0.0001 --reconstructor-type LeNet --min-shift-magnitude 0.5 --max-shift-magnitude 0.45 --shift-law balanced --reconstructor-lr 0.0001 --max-iter 100000 --batch-size 32 --lambda-cls 1.0 --lambda-reg 0.25 --ckp-freq 1000 --seed 0
