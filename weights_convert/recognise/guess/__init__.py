"""What names and shapes of tensors say of a network, and the best guess of what they do not.

``pieces`` groups tensors by layer; ``chain`` finds the layers that follow each other, by the channels that they take
and make; ``selection`` takes the generator's of them; ``sides`` chooses strides, paddings and upsampling so that images
get a usual side; ``network`` puts it all together.
"""

from weights_convert.recognise.guess.network import Guess as Guess
from weights_convert.recognise.guess.network import Said as Said
from weights_convert.recognise.guess.network import guessed as guessed
from weights_convert.recognise.guess.selection import listed as listed
