//! Release assistance (sheet 2b): before the last send the modem is told that it is the last, so that
//! the network releases the radio.

use sectag::LastData;
use sectag::modem::{ReleasesRadio, Then, World, ask, decide, either_way};

use crate::commands::QUICK;
use crate::families::ReleaseAssistance;
use crate::marks::Marks as _;
use crate::network::even_refused;
use crate::{Family, Nrf9160, Script, script};

impl<F: Family> ReleasesRadio for Nrf9160<ReleaseAssistance<F>> {
    fn mark_last(&mut self, id: u8, expected: LastData) {
        self.marks.put(id, expected);
    }

    fn opens_in(&self, place: u8) -> u16 {
        self.marks.opens(place)
    }
}

impl<F: Family> Nrf9160<F> {
    /// Switches release assistance on; the modem keeps it, as it keeps PSM. On the nRF9160 its newer
    /// form also needs a feature of release 14, which is refused while LTE is on; the older form does
    /// not.
    pub(crate) const ASSIST: Script<F> = &[
        ask("AT%REL14FEAT=0,1,0,0,0")
            .limit(QUICK)
            .even_unanswered()
            .then(|modem, world, _| even_refused(modem, world, "AT%REL14FEAT")),
        ask("AT%RAI=1")
            .limit(QUICK)
            .even_unanswered()
            .then(|modem, world, _| even_refused(modem, world, "AT%RAI")),
        decide(|_, _, _| Then::To(script::ONLINE)),
    ];

    /// Sets the option with a value of 2.6 and later.
    pub(crate) const TELL_LAST: Script<F> = &[ask("AT#XSOCKETOPT={o}1,61,{e}")
        .limit(QUICK)
        .then(told_by_value)];

    /// Sets the option of up to 2.7, which has a number for each value.
    pub(crate) const TELL_LAST_BY_NAME: Script<F> = &[
        ask("AT#XSOCKETOPT=1,{E}").limit(QUICK).then(either_way),
        decide(|modem, _, _| Then::To(modem.transfer.then)),
    ];

    /// Goes on with the send in the form of this script. If it is marked as the last one, the modem is
    /// told before.
    pub(crate) fn tell_last(&mut self, world: &World<'_>, form: u8) -> Then {
        let ends = world.offset + world.len == self.transfer.total
            && world.payload(self.transfer.total.into(), &mut [0]) == 0;
        if ends && self.marks.take(world.id).is_some() {
            self.transfer.then = form;
            return Then::To(script::TELL_LAST);
        }
        Then::To(form)
    }
}

/// Goes on after the option. It is only a hint: a firmware without it sends anyway.
fn told_by_value<F: Family>(
    modem: &mut Nrf9160<F>,
    _: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    Then::To(if answer.is_none() && !modem.has_handles() {
        script::TELL_LAST_BY_NAME
    } else {
        modem.transfer.then
    })
}
